import { afterEach, expect, it, vi } from 'vitest'
import { exitWith, makeCommand, runCommand } from '../../../scripts/lib/command.ts'
import { VaultError } from '../../../src/errors.ts'

afterEach(() => {
  process.exitCode = undefined
  vi.restoreAllMocks()
})

/** Runs a command that has an argument and an option, with these arguments. @returns what it printed, and its exit code */
async function run(args: readonly string[], work: () => Promise<number> = async () => 0) {
  const printed = { stdout: '', stderr: '' }
  vi.spyOn(process, 'chdir').mockImplementation(() => {})
  vi.spyOn(console, 'error').mockImplementation((text) => void (printed.stderr += `${text}\n`))
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed.stdout += String(text)
    return true
  })
  const command = makeCommand('sample', 'Does something.').option('--remote', 'elsewhere')
  command
    .command('part')
    .argument('<id>')
    .option('--days <days>', 'how many', '30')
    .action(exitWith(work))
  await runCommand({ parseAsync: async () => command.parseAsync(args, { from: 'user' }) })
  return { ...printed, code: process.exitCode }
}

function failWith(error: Error): () => Promise<never> {
  return async () => {
    throw error
  }
}

it.for([['--help'], ['-h']])('%s prints the help to standard output', async ([option = '']) => {
  const { code, stdout, stderr } = await run([option])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^Usage: npm run sample -- \[options\] \[command\]\n\nDoes something\./)
})

it.for([['--help'], ['-h']])('%s of a part prints its help', async ([option = '']) => {
  const { code, stdout, stderr } = await run(['part', option])
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^Usage: npm run sample -- part \[options\] <id>/)
  expect(stdout).toContain('--days <days>  how many (default: 30)')
})

it.for<[args: string[], fault: string]>([
  [[], 'Usage: '],
  [['other'], "error: unknown command 'other'"],
  [['part'], "error: missing required argument 'id'"],
  [['part', 'a', 'b'], 'error: too many arguments'],
  [['part', 'a', '--day', '3'], "error: unknown option '--day'"],
  [['--remote', 'part', 'a'], 'error: write --remote after part'],
  [['part', 'a', '--days'], "error: option '--days <days>' argument missing"],
])('the arguments %j print the fault and the help to standard error', async ([args, fault]) => {
  const { code, stdout, stderr } = await run(args)
  expect([code, stdout]).toEqual([2, ''])
  expect(stderr.startsWith(fault)).toBe(true)
  expect(stderr).toMatch(/^Usage: npm run sample -- /m)
})

it.for<[title: string, work: () => Promise<number>, code: number, printed: string]>([
  ['ends well', async () => 0, 0, ''],
  ['ends with 1', async () => 1, 1, ''],
  ['fails', failWith(new Error('It failed')), 1, 'It failed\n'],
  [
    'fails at a place of the configuration',
    failWith(Object.assign(new Error('Invalid TOML'), { location: { line: 3, column: 9 } })),
    1,
    'wrangler.toml:3:9: Invalid TOML\n',
  ],
  [
    'fails in the vault for a reason',
    failWith(
      new VaultError('database_busy', { cause: new Error('D1_ERROR: locked'), retryAfter: 1 }),
    ),
    1,
    'D1_ERROR: locked\n',
  ],
])('a command that %s exits with its code and says why', async ([, work, code, printed]) => {
  expect(await run(['part', 'ann'], work)).toEqual({ code, stdout: '', stderr: printed })
})
