import { expect, it } from 'vitest'
import { runWithWrangler } from './wrangler-runs.ts'

it.for<[options: string[], flag: string]>([
  [[], '--local'],
  [['--remote'], '--remote'],
])('applies the migrations for the options %j with %s', async ([options, flag]) => {
  const { code, asked } = await runWithWrangler(['schema', ...options], [7])
  expect(asked).toEqual([`d1 migrations apply DB ${flag}`])
  expect(code).toBe(7)
})

it.for([[['x']], [['write', 'x']], [['write', '--remote']]])(
  'prints its usage for the arguments %j',
  async ([args = []]) => {
    const { code, stderr, asked } = await runWithWrangler(['schema', ...args], [])
    expect([code, asked]).toEqual([2, []])
    expect(stderr).toMatch(/^Usage: npm run schema --/m)
  },
)

it.for<[printed: string, code: number, pending: string[]]>([
  ['No migrations to apply!', 0, []],
  ['│ 0001_tables.sql │', 1, ['0001_tables.sql']],
])('the status after "%s" ends with %i', async ([printed, code, pending]) => {
  const json = await runWithWrangler(['schema', 'status', '--remote', '--json'], [0], printed)
  expect(json.asked).toEqual(['d1 migrations list DB --remote'])
  expect([json.code, JSON.parse(json.stdout)]).toEqual([code, { pending }])
  const words = await runWithWrangler(['schema', 'status'], [0], printed)
  expect(words.asked).toEqual(['d1 migrations list DB --local'])
  expect(words.stdout).toBe(`${pending.join() || 'The database has every migration.'}\n`)
})
