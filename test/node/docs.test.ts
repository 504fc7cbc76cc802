import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { unstable_readConfig as readConfig } from 'wrangler'
import { expect, it } from 'vitest'
import * as z from 'zod/mini'
import { explain } from '../../examples/node-server/meaning.ts'
import { ALERTS } from '../../scripts/lib/alerts.ts'
import { describeReport, type KeyCounts } from '../../scripts/lib/key-report.ts'
import { describeElsewhere } from '../../scripts/lib/trace.ts'
import { LOG_EVENTS } from '../../src/log-lines.ts'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { PUBLISHED } from '../../src/keys/publish.ts'
import { MAX_EXPORTED } from '../../src/keys/trail.ts'
import { environment } from '../../src/environment.ts'
import { MAX_EVENTS_A_DAY } from '../../src/store/d1.ts'
import { MAX_UNEXPLAINED } from '../../src/store/gone-keys.ts'
import { EMPTY_STORE, SELECT_MOVES } from '../keys/moved-tombstones.ts'
import { nameLineFault } from '../log-lines.ts'
import { namesIn, rowsUnder } from '../markdown.ts'
import {
  eventsAnswer,
  exportLine,
  keyReason,
  relayErrorAnswer,
  slotAnswer,
} from '../../src/shared/answers.ts'

const DOCS = readdirSync('docs', { encoding: 'utf8' }).filter((name) => name.endsWith('.md'))

const DAY_MS = 24 * 60 * 60 * 1000

const PAGES = [
  'README.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...DOCS.map((name) => `docs/${name}`),
  ...globSync('examples/**/README.md'),
]

const read = (path: string): string => readFileSync(path, 'utf8')

/** The text without its code, since code holds no links and no headings. */
function prose(path: string): string {
  return read(path)
    .replaceAll(/^( *)```.*?^\1```$/gms, '')
    .replaceAll(/`[^`\n]*`/g, (code) => code.slice(1, -1).replaceAll(/[[\]()<>]/g, ''))
}

/** The anchors that GitHub makes of a page's headings. */
function anchors(path: string): string[] {
  const headings = Array.from(prose(path).matchAll(/^#+ (.*)$/gm), ([, text = '']) => text)
  return headings.map((text) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, '')
      .replaceAll(' ', '-'),
  )
}

/** A page's links and pictures on this site. */
function relativeLinks(path: string): string[] {
  const links = prose(path).matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g)
  return Array.from(links, ([, link, source]) => link ?? source ?? '').filter(
    (link) => !/^(?:https?|mailto):/.test(link),
  )
}

/** What is wrong with a link of the page `from`; null if its target exists. */
function nameLinkFault(from: string, link: string): string | null {
  const [file = '', anchor] = link.split('#')
  const target = file === '' ? from : relative('.', join(dirname(from), file))
  if (!existsSync(target)) return `${link}: the file does not exist`
  if (anchor === undefined || anchors(target).includes(anchor)) return null
  return `${link}: ${target} has no such heading`
}

const tableRows = (path: string, heading: string) => rowsUnder(read(path), heading)

/** The code of a page in `language`, a regular expression. */
function codeBlocks(path: string, language: string): string[] {
  const blocks = read(path).matchAll(new RegExp(`^\`\`\`${language}\n(.*?)\n\`\`\`$`, 'gms'))
  return Array.from(blocks, ([, code = '']) => code)
}

const numbersIn = (cell = '') => Array.from(cell.matchAll(/\d+/g), ([digits]) => Number(digits))

const firstNames = (rows: string[][]) => rows.flatMap(([cell]) => namesIn(cell)).toSorted()

it.for(PAGES)('%s has only links whose targets exist', (path) => {
  const faults = relativeLinks(path).map((link) => nameLinkFault(path, link))
  expect(faults.filter((fault) => fault !== null)).toEqual([])
})

it.for(PAGES)('%s names only npm scripts that exist', (path) => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'))
  const commands = read(path).matchAll(/npm run (?:-s |--silent )?([a-z][\w:-]*)/g)
  const unknown = Array.from(commands, ([, name = '']) => name).filter((name) => !scripts[name])
  expect(unknown).toEqual([])
})

it('README.md links each page of docs/', () => {
  const linked = new Set(relativeLinks('README.md').map((link) => link.split('#')[0]))
  expect(DOCS.filter((name) => !linked.has(`docs/${name}`))).toEqual([])
})

const GENERATED = new Set(['errors.md', 'provider-answers.md', 'routes.md'])

it.for(DOCS.filter((name) => !GENERATED.has(name)))('docs/%s has at most 1,500 words', (name) => {
  expect(read(`docs/${name}`).trim().split(/\s+/).length).toBeLessThanOrEqual(1_500)
})

it('README.md has at most 150 lines', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150)
})

const canTell = (patterns: readonly unknown[]) => (patterns.length > 0 ? 'yes' : 'no')

it('docs/providers.md lists every built-in provider', () => {
  const rows = tableRows('docs/providers.md', '## Built-in providers')
  const known = Object.entries(BUILT_IN).map(
    ([name, { label, refusals, exhausted = [] }]) =>
      `\`${name}\` | ${label} | ${canTell(refusals)} | ${canTell(exhausted)} |`,
  )
  expect(rows.map((row) => row.join(' | ')).toSorted()).toEqual(known.toSorted())
})

it('docs/api.md shows slots as the vault answers them', () => {
  const [slots = ''] = codeBlocks('docs/api.md', 'jsonl')
  const examples: unknown[] = slots.split('\n').map((line) => JSON.parse(line))
  expect(examples.map((example) => slotAnswer.parse(example))).toEqual(examples)
})

it('docs/export.md shows lines as the vault exports them, of each type', () => {
  const [sample = ''] = codeBlocks('docs/export.md', 'jsonl')
  const lines: { type: string; provider?: string }[] = sample
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map((line) => exportLine.parse(line))).toEqual(lines)
  const keys = lines.filter(({ type }) => type === 'key').map(({ provider = '' }) => provider)
  expect(keys).toEqual(keys.toSorted())
  const types = firstNames(tableRows('docs/export.md', '# Everything about a user'))
  expect([...new Set(lines.map(({ type }) => type))].toSorted()).toEqual(types)
  expect(read('docs/export.md')).toContain(`at most ${MAX_EXPORTED.toLocaleString('en')} events`)
})

it('docs/frameworks.md shows lines of the applications that the tests start', () => {
  const linesOf = (code: string) => code.split('\n').map((line) => line.trim())
  const samples = read('docs/frameworks.md').matchAll(
    /\]\(\.\.\/(?<path>[^)\s]+)\)[^\]\n]*\n\n```\w+\n(?<code>.*?)\n```/gs,
  )
  const unknown = Array.from(samples, ({ groups: { path = '', code = '' } = {} }) => {
    const known = new Set(linesOf(read(path)))
    return linesOf(code).filter((line) => !known.has(line))
  })
  expect(unknown.length).toBeGreaterThan(5)
  expect(unknown.flat()).toEqual([])
})

it('docs/sdk-errors.md shows a refusal as the vault answers it', () => {
  const [refusal = ''] = codeBlocks('docs/sdk-errors.md', 'json')
  expect(relayErrorAnswer.parse(JSON.parse(refusal))).toEqual(JSON.parse(refusal))
})

it.for([
  ['ts', 'examples/node-server/meaning.ts'],
  ['python', 'examples/flask/meaning.py'],
])('docs/sdk-errors.md has the %s code of %s', ([language = '', path = '']) => {
  expect(codeBlocks('docs/sdk-errors.md', language)).toEqual([read(path).trimEnd()])
})

it('docs/sdk-errors.md says what each code means to the user, as both examples do', () => {
  const rows = tableRows('docs/sdk-errors.md', '## What the user can do')
  const documented = rows.flatMap(([cell, , codes]) => {
    const [meaning = ''] = namesIn(cell)
    return namesIn(codes).map((code) => [code, meaning])
  })
  const told = documented.map(([code = '']) => {
    const headers = new Headers({ 'X-Vault-Error': code })
    return [code, explain({ status: 400, headers })]
  })
  expect(documented).toEqual(told)
  const python = read('examples/flask/meaning.py').matchAll(/^ {4}"(\w+)": "(\w+)",$/gm)
  expect(Array.from(python, ([, ...pair]) => pair)).toEqual(documented)
})

it('docs/webhooks.md shows events as the queue gets them', () => {
  const [webhook = ''] = codeBlocks('docs/webhooks.md', 'json')
  const { type, timestamp, data } = JSON.parse(webhook)
  const { user_id, ...event } = data
  const page = { user_id, events: [event], next_cursor: null }
  expect(eventsAnswer.parse(page)).toEqual(page)
  expect([type, timestamp]).toEqual([`api_key.${event.event}`, event.at])
  const kinds = firstNames(tableRows('docs/webhooks.md', '## Which events'))
  expect(kinds).toEqual(PUBLISHED.toSorted())
})

it('docs/monitor.md lists every event of the log', () => {
  const rows = tableRows('docs/monitor.md', '## Logs')
  expect(firstNames(rows)).toEqual(Object.keys(LOG_EVENTS).toSorted())
})

it.for(tableRows('docs/monitor.md', '## Logs'))(
  'docs/monitor.md has the levels of %s, and fields that they have',
  ([events, level = '', fields]) => {
    const lines = Object.entries(LOG_EVENTS).filter(([event]) => namesIn(events).includes(event))
    const schemas = lines.map(([, line]) => JSON.stringify(z.toJSONSchema(line.fields))).join('\n')
    for (const [, { levels }] of lines) expect(level.match(/info|warn|error/g)).toEqual(levels)
    const names = namesIn(fields).filter((name) => /^[a-z_]+$/.test(name))
    expect(names.filter((name) => !schemas.includes(`"${name}":`))).toEqual([])
  },
)

it('docs/configuration.md lists every variable, secret and binding', () => {
  const { vars, secrets } = readConfig({ config: 'wrangler.toml' })
  const names: string[] = [
    ...Object.keys(environment),
    ...Object.keys(vars),
    ...(secrets?.required ?? []),
    'ASSETS',
  ]
  const rows = tableRows('docs/configuration.md', '## Variables and bindings')
  const known = [...new Set(names)]
  expect(firstNames(rows)).toEqual(known.toSorted())
})

interface RateLimit {
  limit: number
  /** In seconds. */
  period: number
}

it('docs/configuration.md names the limits of wrangler.toml', () => {
  const { ratelimits }: { ratelimits: { name: string; simple: RateLimit }[] } = readConfig({
    config: 'wrangler.toml',
  })
  const rows = tableRows('docs/configuration.md', '## Variables and bindings')
  const documented = rows.flatMap(([name = '', kind, limit = '']) =>
    kind === '`[[ratelimits]]`' ? `${namesIn(name).join()} ${limit.replace(/.*here /, '')}` : [],
  )
  const known = ratelimits.map(
    ({ name, simple: { limit, period } }) => `${name} ${limit.toLocaleString('en')} in ${period} s`,
  )
  expect(documented.toSorted()).toEqual(known.toSorted())
})

it('docs/element.md lists each part and each custom property', () => {
  const page = read('docs/element.md')
  const [, styled = ''] = /^`::part\(…\)` styles single pieces: (.*?)\n\n/ms.exec(page) ?? []
  const [, parts = ''] = /PARTS =\s+'([^']+)'/.exec(read('src/page/element/styles.ts')) ?? []
  expect(namesIn(styled).toSorted()).toEqual(['list', ...parts.split(', ')].toSorted())
  const properties = (text: string) => new Set(text.match(/--api-key-[a-z-]*[a-z]/g))
  expect(properties(page)).toEqual(properties(read('src/page/element/styles.css')))
})

it('docs/failures.md names the providers whose good answer to a check is read', () => {
  const read200 = Object.values(BUILT_IN).filter(({ refusals, exhausted = [] }) =>
    [...refusals, ...exhausted].some(({ status }) => status === 200),
  )
  const labels = read200.map(({ label }) => label).join(' and ')
  expect(read('docs/failures.md')).toContain(`The answers of ${labels} to a check are read too`)
})

it('docs/failures.md names what one user can add as the code bounds it', () => {
  const [, section = ''] = read('docs/failures.md').split('## What one user can add\n')
  const [, figures = ''] = section.split('An event takes')
  expect(figures).toContain(`${MAX_EVENTS_A_DAY.toLocaleString('en')} events a day`)
  const megabytes = (bytes: number) => (bytes * MAX_EVENTS_A_DAY) / 1e6
  expect(figures).toContain(`${megabytes(250)} MB, and ${megabytes(250) * 90} MB`)
  expect(figures).toContain(`${megabytes(5_000)} MB a day, and ${megabytes(5_000) * 0.09} GB`)
  expect(read('docs/events.md')).toContain(`at most ${MAX_EXPORTED.toLocaleString('en')} events`)
})

it('docs/backup.md and docs/monitor.md name how many tombstones are held as the code bounds it', () => {
  const held = `more than ${MAX_UNEXPLAINED.toLocaleString('en')}`
  expect(read('docs/backup.md')).toContain(`${held} such tombstones, the job holds them`)
  expect(read('docs/monitor.md').toLowerCase()).toContain(`${held} [tombstones]`)
  expect(SAMPLES).toContain(`"most":${MAX_UNEXPLAINED}}`)
})

it('docs/errors.md lists every reason of api_key_invalid', () => {
  const rows = tableRows('docs/errors.md', '## What cannot be a key')
  expect(firstNames(rows)).toEqual(keyReason.options.toSorted())
})

it('docs/privacy.md names each place that a trace of a user names, with its days', () => {
  const rows = tableRows('docs/privacy.md', '## Where it is')
  const documented = rows.map(([place, , days]) => ({ place, days: numbersIn(days) }))
  const [, ...lines] = describeElsewhere(0)
  const traced = lines.flatMap((line) => {
    const [, place] = /^ {2}(\S+(?: \S+)*) {2}/.exec(line) ?? []
    const dates = Array.from(line.matchAll(/\d{4}-\d\d-\d\d/g), ([date]) => Date.parse(date))
    const days: unknown = expect.arrayContaining(dates.map((time) => time / DAY_MS))
    return place === undefined ? [] : { place, days }
  })
  expect(traced.length).toBeGreaterThan(5)
  expect(documented).toEqual(expect.arrayContaining(traced))
})

it('docs/owasp.md names each risk of the OWASP Top 10 for APIs, with its tests', () => {
  const rows = tableRows('docs/owasp.md', '## The API Security Top 10')
  const risks = Array.from({ length: 10 }, (_, index) => `API${index + 1}:2023`)
  expect(rows.flatMap(([risk]) => namesIn(risk))).toEqual(risks)
  expect(rows.filter(([, , tests]) => tests?.includes('.test.ts)') !== true)).toEqual([])
})

it('docs/owasp.md and docs/asvs-*.md name each requirement of ASVS 5.0.0 once', () => {
  const pages = DOCS.filter((name) => /^(?:owasp|asvs-\w+)\.md$/.test(name))
  const text = pages.map((name) => read(`docs/${name}`)).join('\n')
  const ids = Array.from(text.matchAll(/v5\.0\.0[^`\s]*/g), ([id]) => id)
  expect(ids.filter((id) => !/^v5\.0\.0-\d+\.\d+\.\d+$/.test(id))).toEqual([])
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
  expect(ids.length).toBeGreaterThan(100)
})

it('wrangler.toml turns off what Cloudflare itself would log, which has URLs: docs/asvs-code.md', () => {
  const { observability } = readConfig({ config: 'wrangler.toml' })
  expect(observability).toMatchObject({
    enabled: true,
    logs: { invocation_logs: false },
    traces: { enabled: false },
  })
})

it('files that every origin may read are those that docs/asvs-web.md names', () => {
  const rules = globSync('src/page/*/_headers').flatMap((path) => read(path).split(/^(?=\/)/m))
  const open = rules.filter((rule) => rule.includes('Access-Control-Allow-Origin: *'))
  const paths = open.map((rule) => rule.replace(/\n.*/s, ''))
  expect(paths.toSorted()).toEqual(['/api-key-settings.*', '/browser.*', '/openapi.json'])
})

it('docs/eu.md moves tombstones with the tested queries', () => {
  const [, section = ''] = read('docs/eu.md').split('## A vault that runs already')
  expect(section).toContain(`   ${SELECT_MOVES}\n`)
  expect(section).toContain(`\`${EMPTY_STORE}\``)
})

/** A line of a report. */
function readCounts(line: string): KeyCounts & { provider: string } {
  const [provider = ''] = line.trim().split(' ')
  const [keys = 0, of_teams = 0, active = 0, unverified = 0, ...others] = numbersIn(
    line.replaceAll(',', ''),
  )
  const [rejected = 0, out_of_credit = 0, expired = 0, paused = 0, unused = 0] = others
  const states = { active, unverified, rejected, out_of_credit, expired, paused, unused }
  return { provider, keys, of_teams, ...states }
}

it('docs/figures.md shows a report as it is printed, with each column', () => {
  const [shown = ''] = codeBlocks('docs/figures.md', '')
  const [command, ...report] = shown.split('\n')
  const [as_of = '', unused_since = ''] = shown.match(/20\d\d-\S+?Z/g) ?? []
  const lines = report.slice(2, report.indexOf('')).map(readCounts)
  const [providers, total = readCounts('')] = [lines.slice(0, -1), lines.at(-1)]
  const parsed = { as_of, unused_days: 30, unused_since, providers, total }
  expect(command).toBe('$ npm run keys -- report')
  expect(report.join('\n')).toBe(describeReport(parsed))
  const { provider: _, keys: __, ...columns } = total
  const names = firstNames(tableRows('docs/figures.md', '## Keys by provider'))
  expect(names.map((name) => name.replaceAll(' ', '_'))).toEqual(Object.keys(columns).toSorted())
})

it('docs/commands.md lists every npm script', () => {
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read('package.json'))
  const rows = tableRows('docs/commands.md', '## All commands').join('\n')
  const named = rows.matchAll(/npm (?:run )?(?:-s )?([a-z][\w:-]*)/g)
  const documented = new Set(Array.from(named, ([, name = '']) => name))
  expect(Object.keys(scripts).filter((name) => !documented.has(name))).toEqual([])
})

const [, SAMPLES = ''] = read('docs/alerts.md').split('## What the lines look like')

const LINES = SAMPLES.split('\n').filter((line) => line.startsWith('{"level"'))

it.for(LINES.map((line): [event: string, line: string] => [JSON.parse(line).event, line]))(
  'docs/alerts.md shows a line of %s as the vault can log it',
  ([, line]) => {
    expect(nameLineFault(line)).toBeNull()
  },
)

it('docs/alerts.md shows a line of each event that somebody should act on, or names a similar one', () => {
  const names = ALERTS.flatMap(({ events }) => events)
  expect(names.length).toBeGreaterThan(10)
  expect(names.filter((name) => name !== 'binding_call' && !SAMPLES.includes(name))).toEqual([])
})

it.for([
  'backup.sql',
  'users.csv',
  'users.json',
  'users.jsonl',
  'api-key-events.ndjson',
  'user.ndjson',
  '.dev.vars.production',
  '.dev.vars.webhooks',
  'wrangler.production.toml',
  'wrangler.webhooks.toml',
  'examples/webhooks/.dev.vars',
  'examples/webhooks/wrangler.production.toml',
])('git ignores %s, which a documented command writes or reads', (path) => {
  const { status } = spawnSync('git', ['check-ignore', '--quiet', '--no-index', path])
  expect(status).toBe(0)
})

it.for(['schema.sql', 'package.json', 'tsconfig.json', 'migrations/0001_tables.sql'])(
  'git does not ignore %s',
  (path) => {
    const { status } = spawnSync('git', ['check-ignore', '--quiet', '--no-index', path])
    expect(status).toBe(1)
  },
)

it('the workflow names each action by a commit, and its version', () => {
  const uses = Array.from(read('.github/workflows/ci.yml').matchAll(/uses: (.*)/g), ([, by]) => by)
  expect(uses.length).toBeGreaterThan(0)
  expect(uses.filter((by = '') => !/^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(by))).toEqual([])
})
