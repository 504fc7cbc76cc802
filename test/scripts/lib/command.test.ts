import { parseArgs } from 'node:util'
import { afterEach, expect, it, vi } from 'vitest'
import { runCommand } from '../../../scripts/lib/command.ts'
import { VaultError } from '../../../src/errors.ts'

afterEach(() => {
  process.exitCode = undefined
  vi.restoreAllMocks()
})

function failWith(error: Error): () => Promise<never> {
  return async () => {
    throw error
  }
}

it.for<[title: string, command: () => Promise<number>, code: number, printed: string[]]>([
  ['ends well', async () => 0, 0, []],
  ['ends with 1', async () => 1, 1, []],
  ['is misused', async () => 2, 2, ['The usage']],
  [
    'gets an unknown option',
    async () => {
      parseArgs({ args: ['--unknown'], options: {} })
      return 0
    },
    2,
    ['The usage'],
  ],
  ['fails', failWith(new Error('It failed')), 1, ['It failed']],
  [
    'fails in the vault for a reason',
    failWith(
      new VaultError('database_busy', { cause: new Error('D1_ERROR: locked'), retryAfter: 1 }),
    ),
    1,
    ['D1_ERROR: locked'],
  ],
])('a command that %s exits with its code and says why', async ([, command, code, printed]) => {
  const error = vi.spyOn(console, 'error').mockImplementation(() => {})
  await runCommand('The usage', command)
  expect(process.exitCode).toBe(code)
  expect(error.mock.calls.flat()).toEqual(printed)
})
