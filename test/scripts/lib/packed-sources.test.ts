import { readFileSync } from 'node:fs'
import { transformSync } from 'esbuild'
import { expect, it } from 'vitest'
import { packSources } from '../../../scripts/lib/packed-sources.ts'

const sources = packSources(['src/index.ts', './src/http/api-keys.ts', 'src/jobs.ts'])

/** The code as it runs. */
const compile = (code: string) =>
  transformSync(code, { loader: 'ts', minifyWhitespace: true, charset: 'utf8' }).code

it.for([...sources])('the packed source does what the source does: %s', ([path, code]) => {
  expect(compile(code)).toBe(compile(readFileSync(path, 'utf8')))
})

it('a packed source says what its exports are, and nothing else', () => {
  const code = sources.get('src/callers/binding.ts') ?? ''
  expect(code).toMatch(/^\n?import type/)
  expect(code).toContain('/** Which events to list. */\nexport interface EventQuery')
  expect(code).toContain('  /** From 1 to 200; by default 50. */')
  expect([...sources.values()].join('\n')).not.toMatch(/^ *\/\/ /m)
})

it('what only the commands import is not packed', () => {
  expect([...sources.keys()]).toContain('src/store/api-keys.ts')
  expect([...sources.keys()]).not.toContain('src/store/traces.ts')
})
