/** Mutates the code of one room with Stryker, and runs the tests of that room for each mutant. */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Location, PartialStrykerOptions } from '@stryker-mutator/api/core'
import { Stryker } from '@stryker-mutator/core'

/** The quick tests of a folder: the slow ones take too long. */
const testsOf = (folder: string) => `test/${folder}/!(*.slow).test.ts`

/** The tests in workerd that have to notice a change of a room's code. */
const TESTS: Record<string, string[]> = {
  'src/crypto': [testsOf('crypto')],
  'src/tokens': [testsOf('tokens'), 'test/settings.test.ts', 'test/http/route-matrix.test.ts'],
  'src/store': [
    testsOf('store'),
    testsOf('keys'),
    testsOf('binding'),
    'test/http/parameters.test.ts',
  ],
  'src/keys': [
    testsOf('keys'),
    testsOf('store'),
    testsOf('http'),
    testsOf('binding'),
    testsOf('relay'),
    'test/{counters,deletions,jobs}.test.ts',
    'test/providers/base-url.test.ts',
  ],
  'src/door': [
    testsOf('door'),
    'test/http/{only-your-own,route-matrix,server-routes}.test.ts',
    'test/rate.test.ts',
  ],
  'src/relay': [testsOf('relay')],
  'src/binding': [testsOf('binding'), 'test/{counters,rate}.test.ts', 'test/keys/trail.test.ts'],
  'src/rate.ts': ['test/rate.test.ts'],
}

export const ROOMS = Object.keys(TESTS)

const CONFIG_FILE = 'test/mutate/vitest.config.ts'

const OPTIONS: PartialStrykerOptions = {
  testRunner: 'vitest-files',
  plugins: ['@stryker-mutator/vitest-runner', './test/mutate/test-runner.ts'],
  vitest: { configFile: CONFIG_FILE, related: false },
  coverageAnalysis: 'perTest',
  reporters: ['progress-append-only'],
  allowConsoleColors: false,
  // Stryker would rewrite this file with the JavaScript API that TypeScript 7 does not have.
  tsconfigFile: 'none.json',
  tempDirName: '.wrangler/mutate',
  // A runner takes 25 MB more for each mutant.
  maxTestRunnerReuse: 100,
  // A busy machine must not make the tests or a mutant time out.
  dryRunTimeoutMinutes: 60,
  timeoutMS: 120_000,
}

/** A small change of the code, and whether a test noticed it. */
export interface Mutant {
  file: string
  line: number
  /** The line's text. Together with `change` it names the mutant, even if the line moves. */
  code: string
  change: string
  status: string
}

/**
 * Mutates `path`: a room, or a file in one.
 *
 * @throws Error if there is nothing to mutate, or if a test fails without a mutant, alone or with the others
 */
export async function mutateRoom(path: string): Promise<Mutant[]> {
  const room = ROOMS.find((name) => path === name || path.startsWith(`${name}/`))
  if (room === undefined) throw new Error(`${path} is not in a room that is mutated`)
  process.env['MUTATE_TESTS'] = TESTS[room]?.join(' ')
  runTogether()
  const mutate = [path.endsWith('.ts') ? path : `${path}/**/*.ts`]
  const results = await new Stryker({ ...OPTIONS, mutate }).runMutationTest()
  if (results.length === 0) throw new Error(`${path} has no code that can be mutated`)
  return results.map(({ fileName, location, replacement, status }) => {
    const file = relative(process.cwd(), fileName)
    const { code, before } = readCode(file, location)
    const change = `${inOneLine(before)} → ${inOneLine(replacement)}`
    return { file, line: location.start.line, code, change, status }
  })
}

/**
 * Runs the tests once in one workerd, without a mutant. One that fails there, for what another has left in D1, would
 * seem to notice every mutant.
 */
function runTogether(): void {
  const { status } = spawnSync('vitest', ['run', '--config', CONFIG_FILE], {
    env: { ...process.env, MUTATE_SHARED: 'true' },
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('A test fails if all files share one workerd')
}

/** The line that a change begins on, and the code that it replaces. Stryker counts from 1. */
function readCode(file: string, { start, end }: Location): { code: string; before: string } {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .slice(start.line - 1, end.line)
  const code = lines[0]?.trim() ?? ''
  const last = lines.pop()?.slice(0, end.column - 1) ?? ''
  return { code, before: [...lines, last].join('\n').slice(start.column - 1) }
}

function inOneLine(code: string): string {
  const line = code.replaceAll(/\s+/g, ' ')
  return line.length > 100 ? `${line.slice(0, 60)} … ${line.slice(-30)}` : line
}
