/** `npm run soak`: puts mixed traffic on the local vault for five minutes, and checks each status and the memory. */

import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { runCommand } from '../../scripts/lib/command.ts'
import { formatCount, startBar } from '../../scripts/lib/progress.ts'
import type { Tally } from './load.ts'
import { soak, type SoakResult } from './soak.ts'

const USAGE = 'Usage: npm run soak [-- --minutes 5] [--connections 64] [--seed N]'
/** The memory may grow by so many percent after the first minute. */
const MAX_GROWTH = 10

function printTally(kind: string, { times, statuses }: Tally): void {
  const [p50, p99] = [50, 99].map((percent) => (times.percentile(percent) / 1_000).toFixed(1))
  const counts = [...statuses].toSorted(([a], [b]) => a - b)
  const shown = counts.map(([status, count]) => `${status || 'failed'}: ${formatCount(count)}`)
  const columns = [formatCount(times.count), p50, p99].map((text = '') => text.padStart(10))
  console.log(`${kind.padEnd(16)}${columns.join('')}   ${shown.join(', ')}`)
}

/** Prints the figures. @returns whether the vault has withstood the load */
function report({ tallies, memory, samples, jobs }: SoakResult): boolean {
  console.log(`${'kind'.padEnd(16)}  requests    p50 ms    p99 ms   answers by status`)
  for (const [kind, tally] of tallies) printTally(kind, tally)
  const sum = (part: (tally: Tally) => number) =>
    [...tallies.values()].reduce((total, tally) => total + part(tally), 0)
  const [faults, wrong] = [sum((tally) => tally.faults), sum((tally) => tally.wrong)]
  console.log(
    `requests: ${formatCount(sum(({ times }) => times.count))}, runs of the jobs: ${jobs}`,
  )
  console.log(`5xx and failed connections: ${faults}, answers of a wrong status: ${wrong}`)
  const minutes = samples.filter((_, second) => second % 30 === 29)
  console.log(`memory every 30 s in MB: ${minutes.map((size) => size.toFixed(0)).join(' ')}`)
  if (memory === undefined) return faults + wrong === 0
  const growth = (memory.last / memory.first - 1) * 100
  const [first, last] = [memory.first.toFixed(0), memory.last.toFixed(0)]
  console.log(`memory after a minute ${first} MB, at the end ${last} MB: ${growth.toFixed(1)} %`)
  return faults + wrong === 0 && growth <= MAX_GROWTH
}

await runCommand(USAGE, async () => {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      connections: { type: 'string', default: '64' },
      seed: { type: 'string' },
    },
  })
  const [seconds, connections] = [Number(values.minutes) * 60, Number(values.connections)]
  const seed = Number(values.seed ?? randomInt(2 ** 32))
  if (!(seconds > 0) || !(connections > 0) || !Number.isSafeInteger(seed)) return 2
  console.log(`seed ${seed}`)
  const bar = startBar('Soaking')
  const onSecond = (passed: number) => bar.move(passed, Math.round(seconds))
  const result = await soak({ seconds, connections, seed, onSecond })
  bar.stop()
  return report(result) ? 0 : 1
})
