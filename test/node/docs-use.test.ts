/** What the pages on the use of keys say, compared with the code. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { unstable_readConfig as readConfig } from 'wrangler'
import { PlainReport } from '../../scripts/import/plain-report.ts'
import type { Outcome } from '../../scripts/import/plain-send.ts'
import { REQUEST_HEADERS } from '../../src/providers/headers.ts'
import { provider } from '../../src/providers/provider.ts'
import { nameKeyFault } from '../../src/shared/key-text.ts'
import { KEY_HEADER, SLOT_HEADER, CONDITION_HEADER } from '../../src/shared/vault-headers.ts'
import { CHANGES, LOOKS, SUMS } from '../../src/shared/event-kind.ts'
import { eventsAnswer } from '../../src/shared/answers.ts'
import { ROUTES } from '../../src/shared/routes.ts'
import { namesIn, rowsUnder } from '../markdown.ts'

const read = (path: string): string => readFileSync(path, 'utf8')

it('docs/events.md lists each kind of event once', () => {
  const rows = rowsUnder(read('docs/events.md'), '## Events')
  const kinds = rows.flatMap(([cell]) => namesIn(cell))
  expect(kinds.toSorted()).toEqual([...CHANGES, ...LOOKS, ...SUMS].toSorted())
})

it('docs/events.md shows events as the vault answers them', () => {
  const [, sample = ''] = /```json\n(.*?)\n```/s.exec(read('docs/events.md')) ?? []
  expect(eventsAnswer.parse(JSON.parse(sample))).toEqual(JSON.parse(sample))
})

it('docs/events.md says which kinds of events are counted', () => {
  const rows = rowsUnder(read('docs/events.md'), '## Events')
  const counted = rows.filter(([, , also]) => namesIn(also).includes('count'))
  expect(counted.flatMap(([cell]) => namesIn(cell)).toSorted()).toEqual([...SUMS].toSorted())
})

it('docs/what-passes.md lists each header that passes to every provider', () => {
  const [everyProvider] = rowsUnder(read('docs/what-passes.md'), '## The request')
  const names = namesIn(everyProvider?.[1]).map((name) => name.toLowerCase())
  expect(names.toSorted()).toEqual(REQUEST_HEADERS.toSorted())
})

it('docs/what-passes.md lists the headers that the vault adds to an answer', () => {
  const rows = rowsUnder(read('docs/what-passes.md'), '## The answer')
  const names = rows.flatMap(([name]) => namesIn(name))
  expect(names).toEqual([KEY_HEADER, SLOT_HEADER, CONDITION_HEADER, 'X-Vault-Request-Id'])
})

/** The value of `PROVIDERS` in the examples of the page. */
function exampleProviders(): Record<string, object> {
  const blocks = read('docs/custom-providers.md').matchAll(/```toml\n(.*?)\n```/gs)
  const folder = mkdtempSync(join(tmpdir(), 'providers-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const config = join(folder, 'wrangler.toml')
  writeFileSync(config, Array.from(blocks, ([, toml]) => toml).join('\n'))
  const { vars } = readConfig({ config })
  return JSON.parse(JSON.stringify(vars['PROVIDERS']))
}

it('docs/custom-providers.md shows providers that the vault takes, and each field', () => {
  const examples = Object.values(exampleProviders())
  expect(examples.map((example) => provider.safeParse(example).error)).toEqual([
    undefined,
    undefined,
  ])
  const shown = new Set(examples.flatMap((example) => Object.keys(example)))
  expect([...shown].toSorted()).toEqual(Object.keys(provider.shape).toSorted())
})

/** A time as the page says it. */
function sayDelay(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`
}

it('docs/webhooks.md names the retries of the example as its settings make them', () => {
  const { vars, queues } = readConfig({ config: 'examples/webhooks/wrangler.toml' })
  const first = Number(vars['FIRST_RETRY_S'])
  const retries = queues.consumers?.[0]?.max_retries ?? 0
  const delays = Array.from({ length: retries }, (_, index) => first * 4 ** index)
  const page = read('docs/webhooks.md')
  expect(page).toContain(`after ${first} seconds (\`FIRST_RETRY_S\`)`)
  expect(page).toContain(`: ${delays.slice(1).map(sayDelay).join(', ')}.`)
  const hours = Math.round(delays.reduce((sum, delay) => sum + delay, 0) / 3_600)
  expect(page).toContain(`After ${retries} retries (\`max_retries\`), ${hours} hours in all`)
})

it.for([
  ['saves', ['saveKey', 'saveSlot', 'saveTeamSlot']],
  ['deletions', ['deleteKey', 'deleteSlot', 'deleteTeamSlot']],
] as const)('docs/figures.md counts as %s only those of keys', ([figure, ids]) => {
  const rows = rowsUnder(read('docs/figures.md'), '## Counters')
  const [, , condition = ''] = rows.find(([name]) => name === figure) ?? []
  const [, pattern = ''] = /blob2 LIKE '([^']+)'/.exec(condition) ?? []
  const counted = new RegExp(`^${pattern.replaceAll('%', '.*')}$`)
  const routes = Object.entries(ROUTES).filter(([, { method, path }]) =>
    counted.test(`${method.toUpperCase()} ${path}`),
  )
  expect(routes.map(([id]) => id)).toEqual(ids)
})

it('docs/import.md shows a report as it is printed', () => {
  const report = new PlainReport()
  const count = (line: number, outcome: Outcome) =>
    report.count({ line, userId: 'jane', provider: 'openai', key: null }, outcome)
  const url = nameKeyFault('https://example.com', 'has a key that')?.replace(/\.$/, '') ?? ''
  for (let line = 1; line <= 496; line += 1) count(line, { state: 'saved', isUserAdded: true })
  for (const line of [4, 9]) count(line, { state: 'taken', isUserAdded: line === 4 })
  for (const [line, reason] of [
    [17, url],
    [20, 'has no id'],
  ] as const) {
    count(line, { state: 'refused', reason, isUserAdded: false })
  }
  count(501, { state: 'without_key', isUserAdded: true })
  expect(read('docs/import.md')).toContain(`\`\`\`\n${report.describe()}\n\`\`\`\n`)
})
