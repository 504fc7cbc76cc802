/** Each number of docs/limits.md is the one of the code. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { rowsUnder } from '../markdown.ts'

const page = readFileSync('docs/limits.md', 'utf8')

/** The number of a constant, which may be a product or a power. */
function constant(path: string, name: string): number {
  const pattern = new RegExp(`\\bconst ${name} = ([\\d_ *]+)$`, 'm')
  const [, product] = pattern.exec(readFileSync(`src/${path}`, 'utf8')) ?? []
  if (product === undefined) throw new Error(`src/${path} has no number ${name}`)
  const powers = product.split(/ (?<!\*)\*(?!\*) /)
  return powers.reduce((so, power) => so * powerOf(power.replaceAll('_', '')), 1)
}

function powerOf(power: string): number {
  const [base = '', exponent = '1'] = power.split('**')
  return Number(base) ** Number(exponent)
}

/** What a pattern finds in a file, as a number. */
function found(path: string, pattern: RegExp): number {
  const [, digits] = pattern.exec(readFileSync(`src/${path}`, 'utf8')) ?? []
  if (digits === undefined) throw new Error(`src/${path} has nothing like ${String(pattern)}`)
  return Number(digits.replaceAll('_', ''))
}

const count = (number: number) => number.toLocaleString('en')
const kib = (bytes: number) => `${bytes / 1_024} KiB`
const mib = (bytes: number) => `${bytes / 2 ** 20} MiB`
const seconds = (ms: number) => `${ms / 1_000} s`
const minutes = (ms: number) => `${ms / 60_000} min`
const byDefault = (name: string, path = 'environment.ts') =>
  count(found(path, new RegExp(`\\b${name}: withDefault\\(\\w+, ([\\d_]+)\\)`)))

const TOKEN_KEYS = 'tokens/token-keys.ts'
const READ = seconds(constant('providers/error-body.ts', 'READ_TIMEOUT_MS'))
const D1 = 'store/d1.ts'

/** The second cells of the tables, in their order. */
const NUMBERS: Record<string, string[]> = {
  Requests: [
    kib(constant('http/json-body.ts', 'MAX_BODY_BYTES')),
    `${constant('http/json-body.ts', 'DEADLINE_S')} s`,
    `${count(constant('tokens/access-token.ts', 'MAX_TOKEN_LENGTH'))} characters`,
    `${count(constant('shared/user-id.ts', 'MAX_LENGTH'))} characters`,
    `${constant('keys/trail.ts', 'MAX_EVENTS')}; by default ${constant('keys/trail.ts', 'DEFAULT_EVENTS')}`,
    count(constant('keys/trail.ts', 'MAX_EXPORTED')),
  ],
  Keys: [
    `${count(constant('shared/key-text.ts', 'MAX_LENGTH'))} printable ASCII characters`,
    count(constant('shared/slot.ts', 'MAX_KEYS')),
    `${constant('shared/label.ts', 'MAX_LABEL')} characters`,
    `${count(constant('providers/base-url.ts', 'MAX_LENGTH'))} characters`,
    count(constant('http/bodies.ts', 'MAX_CALLERS')),
    `${found('shared/caller.ts', /\[\\w\.-\]\{1,(\d+)\}/)} letters, digits, \`.\`, \`_\` and \`-\``,
    `${found('shared/caller.ts', /\[!-~\]\{1,(\d+)\}/)} printable ASCII characters`,
    `${count(constant('http/bodies.ts', 'MAX_USES'))} uses`,
  ],
  'A day': [
    count(constant(D1, 'MAX_EVENTS_A_DAY')),
    count(constant(D1, 'MAX_EVENTS_A_DAY')),
    count(found('store/noted-events.ts', /HAS_ROOM = `(\d+) >/)),
  ],
  Uses: [
    `${kib(constant('providers/error-body.ts', 'MAX_BYTES'))}, ${READ}`,
    `${count(constant('providers/answer-pattern.ts', 'MAX_MATCHED_BYTES'))} bytes`,
    kib(constant('providers/headers.ts', 'MAX_SEARCHED_LENGTH')),
    `${count(constant('relay/answer-headers.ts', 'MAX_LINK_LENGTH'))} characters`,
    `${mib(constant('relay/answer-body.ts', 'MAX_LENGTH'))}, ${READ}`,
    mib(constant('callers/body-copy.ts', 'MAX_LENGTH')),
    READ,
    seconds(constant('keys/socket.ts', 'LOOK_MS')),
    seconds(constant('keys/socket.ts', 'CLOSING_MS')),
    `${constant('environment.ts', 'MAX_FRESH_SECONDS')}; by default ${byDefault('USE_FRESH_SECONDS')}`,
    minutes(constant('keys/at-hand.ts', 'CREDIT_MS')),
  ],
  Tokens: [
    `${found('tokens/token-settings.ts', /is under (\d+) bytes \(RFC 7518/)} bytes or more`,
    `${count(constant('tokens/public-key.ts', 'MIN_RSA_BITS'))} bits or more`,
    `up to ${constant('tokens/team-claims.ts', 'LEEWAY_S')} s`,
    `1 to ${count(constant('tokens/team-settings.ts', 'MAX_AGE_S'))}; by default ${byDefault('TEAM_TOKEN_MAX_AGE_S', 'tokens/team-settings.ts')}`,
    minutes(constant(TOKEN_KEYS, 'MAX_AGE_MS')),
    seconds(constant(TOKEN_KEYS, 'UNKNOWN_KEY_COOLDOWN_MS')),
    seconds(constant(TOKEN_KEYS, 'FAILURE_COOLDOWN_MS')),
    seconds(constant('tokens/fetched-keys.ts', 'FETCH_TIMEOUT_MS')),
  ],
  'The database': [
    seconds(constant(D1, 'DEADLINE_MS')),
    seconds(constant('keys/retry.ts', 'EXTRA_MS')),
    seconds(constant(D1, 'BULK_DEADLINE_MS')),
    seconds(constant('keys/second-store.ts', 'DEADLINE_MS')),
    `${byDefault('EVENTS_KEPT_DAYS')} by default`,
    `${byDefault('EXPIRED_KEPT_DAYS')} by default`,
    `${count(constant('environment.ts', 'MAX_ROWS_PER_RUN'))}; by default ${byDefault('REWRAP_ROWS_PER_RUN')}`,
    `${constant('keys/recheck.ts', 'KEYS_PER_RUN')}, and ${constant('keys/recheck.ts', 'KEYS_PER_PROVIDER')} of one provider`,
    count(constant('store/gone-keys.ts', 'MAX_UNEXPLAINED')),
    seconds(constant('keys/health.ts', 'KEPT_MS')),
    `${constant('keys/publish.ts', 'BATCH_SIZE')}, ${seconds(constant('keys/publish.ts', 'DEADLINE_MS'))}`,
  ],
  Memory: [
    mib(constant('tokens/known-tokens.ts', 'MOST_KEPT')),
    mib(constant('keys/at-hand.ts', 'MOST_BYTES')),
    mib(constant('store/changes.ts', 'MOST_BYTES')),
    mib(constant('crypto/encryption-key.ts', 'MOST_KEPT')),
    mib(constant('keys/socket.ts', 'MOST_KEPT')),
    `${constant('keys/tally.ts', 'MAX_BYTES') / 1e6} MB. Beyond it, counts are [lost](events.md#how-exact-it-is)`,
  ],
  'Browsers and commands': [
    `${seconds(constant('callers/browser/time-limit.ts', 'LIMIT_MS'))}, then \`no_answer\``,
    seconds(constant('page/site/identity-provider.ts', 'LIMIT_MS')),
    `${seconds(constant('http/token-endpoint.ts', 'DISCOVERY_LIMIT_MS'))}, once in ${minutes(constant('http/page.ts', 'MAX_AGE_MS'))}`,
    `${seconds(constant('page/element/spoken-language.ts', 'LIMIT_MS'))}, then English`,
    count(constant('../scripts/import/plain-stream.ts', 'IN_FLIGHT')),
    count(constant('../scripts/import/plain-stream.ts', 'MAX_FAILED')),
  ],
}

it.for(Object.keys(NUMBERS))('docs/limits.md has the numbers of the code under "%s"', (title) => {
  const cells = rowsUnder(page, `## ${title}`).map(([, cell = '']) => cell.replace(/ \|$/, ''))
  expect(cells).toEqual(NUMBERS[title])
})

it('docs/limits.md has the rates of wrangler.toml', () => {
  const config = readFileSync('wrangler.toml', 'utf8')
  const limiter = /^name = "(.*_LIMITER)"\n.*\nsimple = \{ limit = (\d+), period = 60 \}/gm
  const known = Array.from(
    config.matchAll(limiter),
    ([, name, limit]) => `\`${name}\`: ${count(Number(limit))}`,
  )
  const rows = rowsUnder(page, '## Rates').map(([name, limit]) => `${name}: ${limit}`)
  expect(rows.toSorted()).toEqual(known.toSorted())
})

it('docs/limits.md names the other numbers of keys', () => {
  const shown = found('shared/key-text.ts', /codePoints\.length > (\d+)/)
  const short = constant('keys/stored-key.ts', 'SHORT')
  const soon = constant('page/element/key-status.ts', 'SOON_DAYS')
  const unused = constant('page/element/slot.ts', 'UNUSED_DAYS')
  expect(page).toContain(`A preview shows the first ${shown} characters`)
  expect(page).toContain(`A key of fewer than ${short} characters`)
  expect(page).toContain(
    `warns ${soon} days before a key expires, and if a key was not used for ${unused} days`,
  )
})
