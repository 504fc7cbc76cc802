/** `npm run kill`: kills the vault while clients change keys, and checks that no acknowledged change is lost. */

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { killRepeatedly, type Outcome } from './rounds.ts'
import { runCommand } from '../../scripts/lib/command.ts'
import { formatCount } from '../../scripts/lib/progress.ts'

const USAGE = 'Usage: npm run kill [-- --kills 50] [--seed N]'

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

await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: { kills: { type: 'string', default: '50' }, seed: { type: 'string' } },
  })
  const [kills, seed] = [Number(values.kills), Number(values.seed ?? randomInt(2 ** 32))]
  if (!Number.isSafeInteger(kills) || kills < 1 || !Number.isSafeInteger(seed)) return 2
  console.log(`seed ${seed}`)
  const outcome = await killRepeatedly(kills, seed)
  printOutcome(outcome)
  return outcome.wrong.length === 0 ? 0 : 1
})
