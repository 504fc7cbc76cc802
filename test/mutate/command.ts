/** `npm run mutate`: makes small changes in the code, and checks that a test fails for each of them. */

import { readFileSync } from 'node:fs'
import { exitWith, makeCommand, runCommand } from '../../scripts/lib/command.ts'
import { mutateRoom, ROOMS, type Mutant } from './room.ts'
import { judge, type Explained, type Verdict } from './survivors.ts'

function printCounts(path: string, mutants: Mutant[], { survivors }: Verdict): void {
  const count = (...statuses: string[]) =>
    mutants.filter(({ status }) => statuses.includes(status)).length
  const explained = survivors.filter(({ why }) => why !== null).length
  console.log(
    `${path}: ${mutants.length} mutants, ${count('Killed')} killed, ${count('Timeout')} timed out, ` +
      `${count('RuntimeError')} do not load, ${count('NoCoverage')} without coverage, ` +
      `${count('Survived')} survived; ${explained} of ${survivors.length} are explained`,
  )
}

/** On a busy machine a mutant may time out that would survive. */
function printTimeouts(mutants: Mutant[]): void {
  for (const { file, line, change, status } of mutants) {
    if (status === 'Timeout') console.log(`  ${file}:${line}: timed out: ${change}`)
  }
}

function printVerdict({ survivors, stale }: Verdict): void {
  for (const { mutant, why } of survivors) {
    const { file, line, change, code, status } = mutant
    const state = status === 'NoCoverage' ? 'no coverage' : 'survived'
    console.log(`  ${file}:${line}: ${state}: ${change}`)
    console.log(why === null ? `    not explained, in: ${code}` : `    ${why}`)
  }
  for (const { file, change, code } of stale) {
    console.log(`  ${file}: explained, but not a survivor: ${change}\n    in: ${code}`)
  }
}

async function run(paths: readonly string[]): Promise<number> {
  const explained: Explained[] = JSON.parse(readFileSync('test/mutate/survivors.json', 'utf8'))
  const verdicts: Verdict[] = []
  for (const path of paths.length > 0 ? paths : ROOMS) {
    const mutants = await mutateRoom(path)
    const verdict = judge(path, mutants, explained)
    printCounts(path, mutants, verdict)
    printTimeouts(mutants)
    printVerdict(verdict)
    verdicts.push(verdict)
  }
  const isClean = verdicts.every(
    ({ survivors, stale }) => stale.length === 0 && survivors.every(({ why }) => why !== null),
  )
  return isClean ? 0 : 1
}

const command = makeCommand(
  'mutate',
  'Makes small changes in the code, one at a time, and checks that a test fails for each. It takes hours.',
)
  .argument('[paths...]', `folders or files, otherwise ${ROOMS.join(' ')}`)
  .action(exitWith(run))

await runCommand(command)
