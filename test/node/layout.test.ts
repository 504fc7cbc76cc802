/** How the tests are laid out, which CONTRIBUTING.md describes. */

import { existsSync, globSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

/** They declare only types and constants. */
const WITHOUT_TEST: ReadonlySet<string> = new Set([
  'src/callers/binding.ts',
  'src/callers/browser/get-token.ts',
  'src/callers/browser/methods.ts',
  'src/shared/credential-headers.ts',
  'src/shared/vault-headers.ts',
  'src/shared/event-kind.ts',
  'src/shared/slot.ts',
  'src/shared/team.ts',
])

/** They test several files together, or the tests themselves. */
const WITHOUT_SOURCE: ReadonlySet<string> = new Set([
  'test/budgets.test.ts',
  'test/contract.test.ts',
  'test/d1-calls.test.ts',
  'test/field-reports.test.ts',
  'test/http/effective-within.test.ts',
  'test/http/only-your-own.test.ts',
  'test/http/route-matrix.slow.test.ts',
  'test/http/route-matrix.test.ts',
  'test/http/server-routes.test.ts',
  'test/http/support-routes.test.ts',
  'test/http/team-tokens.slow.test.ts',
  'test/http/team-routes.test.ts',
  'test/keys/gone-restored.test.ts',
  'test/keys/interleavings.slow.test.ts',
  'test/keys/interleavings.test.ts',
  'test/keys/namesakes.test.ts',
  'test/keys/which-key.slow.test.ts',
  'test/keys/which-key.test.ts',
  'test/keys/named-keys.test.ts',
  'test/keys/removal.test.ts',
  'test/keys/operator-save.test.ts',
  'test/keys/provider-answers.test.ts',
  'test/keys/rewrap-slots.test.ts',
  'test/privacy.test.ts',
  'test/store/migrations.test.ts',
  'test/tokens/token-matrix.test.ts',
])

const SERVER_FILES = globSync('src/**/*.ts', { exclude: ['src/page/**', 'src/**/*.d.ts'] })
const MIRROR = globSync('test/**/*.test.ts', {
  exclude: ['test/{browser,examples,faults,fuzz,kill,mutate,node,page,scripts,soak}/**'],
})

const testOf = (source: string) => source.replace(/^src\//, 'test/').replace(/\.ts$/, '.test.ts')
const sourceOf = (test: string) =>
  test.replace(/^test\//, 'src/').replace(/(?:\.slow)?\.test\.ts$/, '.ts')

describe('test/ mirrors src/', () => {
  it('each server file has a test of its path, or an exception', () => {
    const missing = SERVER_FILES.filter((file) => !existsSync(testOf(file)))
    expect(missing.toSorted()).toEqual([...WITHOUT_TEST].toSorted())
  })

  it('each test file has a source of its path, or an exception', () => {
    const missing = MIRROR.filter((file) => !existsSync(sourceOf(file)))
    expect(missing.toSorted()).toEqual([...WITHOUT_SOURCE].toSorted())
  })
})

/** A title that begins with one of these needs the one above it. */
const DEPENDENT =
  /^(?:also|and|are|at|but|by|even|for|from|had|has|have|if|in|is|it|its|not|of|on|only|or|so|then|they|to|too|was|were|with|without)\b/

/** The titles of `it(…)` and of `it.for(…)(…)`. */
function titlesOf(path: string): string[] {
  const calls = /\bit(?:\.[\s\S]*?\))?\(\s*(?<quote>['"`])(?<title>.*?[^\\])\k<quote>/g
  const code = readFileSync(path, 'utf8')
  return Array.from(code.matchAll(calls), ({ groups }) => groups?.['title'] ?? '')
}

it.for(globSync('test/**/*.test.ts'))('titles read alone in %s', (path) => {
  const titles = titlesOf(path)
  expect(titles).not.toEqual([])
  expect(titles.filter((title) => DEPENDENT.test(title))).toEqual([])
})
