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
