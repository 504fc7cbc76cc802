/** `npm run kill`: kills the vault while clients change keys, and checks that no acknowledged change is lost. */

import { randomInt } from 'node:crypto'
import { killRepeatedly, type Outcome } from './rounds.ts'
import { exitWith, makeCommand, runCommand } from '../../scripts/lib/command.ts'
import { formatCount } from '../../scripts/lib/progress.ts'

function printOutcome(outcome: Outcome): void {
  const { kills, acknowledged, limited, cut, made, imports, uses, jobs, wrong } = outcome
  console.log(`kills survived: ${kills}`)
  console.log(
    `acknowledged changes: ${formatCount(acknowledged)}, of which ${formatCount(limited)} of limits`,
  )
  console.log(
    `changes cut off by a kill: ${formatCount(cut)}, of which ${formatCount(made)} were made`,
  )
  console.log(`imports: ${formatCount(imports)}`)
  console.log(`uses: ${formatCount(uses)}, runs of the jobs: ${formatCount(jobs)}`)
  console.log(`changes lost or half-done: ${wrong.length}`)
  for (const sentence of wrong) console.log(sentence)
}

async function run(options: { kills: string; seed?: string }): Promise<number> {
  const [kills, seed] = [Number(options.kills), Number(options.seed ?? randomInt(2 ** 32))]
  if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) {
    command.error('error: --kills and --seed must be whole numbers')
  }
  console.log(`seed ${seed}`)
  const outcome = await killRepeatedly(kills, seed)
  printOutcome(outcome)
  return outcome.wrong.length === 0 ? 0 : 1
}

const command = makeCommand(
  'kill',
  'Kills a vault on this machine while clients change keys, and checks that no acknowledged change is lost. It needs Linux.',
)
  .option('--kills <count>', 'how often it kills', '50')
  .option('--seed <seed>', 'makes the same choices as the run that printed it')
  .action(exitWith(run))

await runCommand(command)
