/** `npm run soak`: puts mixed traffic on the local vault for five minutes, and checks each status and the memory. */

import { randomInt } from 'node:crypto'
import { exitWith, makeCommand, runCommand } from '../../scripts/lib/command.ts'
import { formatCount, startBar } from '../../scripts/lib/progress.ts'
import type { Tally } from './load.ts'
import type { Objects } from './heap.ts'
import { medianOf, soak, type SoakResult } from './soak.ts'

/** The memory may grow by so many percent after the first minute, and the heap after {@link FILLING}. */
const MAX_GROWTH = 10
/** In so many minutes, what the vault keeps within a bound reaches it. */
const FILLING = 5
/** How many constructors are shown. */
const SHOWN = 25

function printTally(kind: string, { times, statuses }: Tally): void {
  const [p50, p99] = [50, 99].map((percent) => (times.percentile(percent) / 1_000).toFixed(1))
  const counts = [...statuses].toSorted(([a], [b]) => a - b)
  const shown = counts.map(([status, count]) => `${status || 'failed'}: ${formatCount(count)}`)
  const columns = [formatCount(times.count), p50, p99].map((text = '') => text.padStart(10))
  console.log(`${kind.padEnd(16)}${columns.join('')}   ${shown.join(', ')}`)
}

/** Prints what has grown most, and what is largest, of the objects in the heap. */
function printObjects([first, last]: SoakResult['objects']): void {
  if (first === undefined || last === undefined) return
  const of = (objects: Map<string, Objects>, name: string) =>
    objects.get(name) ?? { count: 0, bytes: 0 }
  const growth = (name: string) => of(last, name).bytes - of(first, name).bytes
  const names = [...last.keys()]
  const shown = new Set([
    ...names.toSorted((a, b) => growth(b) - growth(a)).slice(0, SHOWN),
    ...names.toSorted((a, b) => of(last, b).bytes - of(last, a).bytes).slice(0, SHOWN),
  ])
  const cells = ['objects', 'kB', 'at the end', 'kB', 'more kB']
  console.log(`${'constructor'.padEnd(32)}${cells.map((text) => text.padStart(11)).join('')}`)
  for (const name of [...shown].toSorted((a, b) => growth(b) - growth(a))) {
    const [before, after] = [of(first, name), of(last, name)]
    const kilobytes = [before.bytes, after.bytes, growth(name)].map((bytes) => bytes / 1e3)
    const [was = 0, is = 0, more = 0] = kilobytes.map(Math.round)
    const row = [before.count, was, after.count, is, more].map(formatCount)
    const columns = row.map((text) => text.padStart(11)).join('')
    console.log(`${name.slice(0, 31).padEnd(32)}${columns}`)
  }
}

/** Prints two sizes in MB. @returns by how many percent the second one is larger */
function printGrowth(what: string, first: number, last: number): number {
  const growth = (last / first - 1) * 100
  console.log(`${what}: ${first.toFixed(1)} and ${last.toFixed(1)} MB, ${growth.toFixed(1)} %`)
  return growth
}

/** Prints the heap, and compares two halves of the time after it has filled. @returns by how many percent it grew */
function printHeaps(heaps: readonly number[]): number {
  console.log(`heap every minute in MB: ${heaps.map((size) => size.toFixed(2)).join(' ')}`)
  const full = heaps.slice(FILLING)
  const half = Math.floor(full.length / 2)
  if (half === 0) return 0
  const [first, last] = [full.slice(0, half), full.slice(-half)].map(medianOf)
  return printGrowth('median of the heap in two halves', first ?? 0, last ?? 0)
}

/** Prints the figures. @returns whether the Worker has withstood the load. A bare one may answer with any status */
function report(result: SoakResult, isBare: boolean): boolean {
  const { tallies, memory, samples, heaps, jobs } = result
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
  const growths = []
  if (memory !== undefined) {
    growths.push(printGrowth('memory after a minute and at the end', memory.first, memory.last))
  }
  printObjects(result.objects)
  if (heaps.length > 0) growths.push(printHeaps(heaps))
  const isRight = faults === 0 && (isBare || wrong === 0)
  return isRight && growths.every((growth) => growth <= MAX_GROWTH)
}

const command = makeCommand(
  'soak',
  'Puts mixed traffic on a vault on this machine. It fails on a 5xx, on an answer of a wrong status, and if the memory grew by more than 10 % after the first minute. It needs Linux.',
)
  .option('--minutes <minutes>', 'how long', '5')
  .option('--connections <count>', 'how many clients', '64')
  .option('--owners <count>', 'how many users have a key before, otherwise one a connection')
  .option('--per-second <count>', 'how many requests a second, otherwise as many as it answers')
  .option('--heap', 'collects the garbage each minute, and fails if the heap grew', false)
  .option('--bare', 'puts the traffic on a Worker without the vault, to compare', false)
  .option('--seed <seed>', 'draws the same requests as the run that printed it')

async function run(options: ReturnType<typeof command.opts>): Promise<number> {
  const [seconds, connections] = [Number(options.minutes) * 60, Number(options.connections)]
  const owners = options.owners === undefined ? undefined : Number(options.owners)
  const perSecond = Number(options.perSecond ?? Infinity)
  const seed = Number(options.seed ?? randomInt(2 ** 32))
  const counts = [seconds, connections, perSecond, owners ?? connections]
  if (!counts.every((count) => count > 0) || !Number.isSafeInteger(seed)) {
    command.error('error: The values must be numbers above 0')
  }
  if ((owners ?? connections) < connections)
    command.error('error: --owners is less than --connections')
  console.log(`seed ${seed}`)
  const bar = startBar('Soaking')
  const onSecond = (passed: number) => bar.move(passed, Math.round(seconds))
  const { heap: measuresHeap, bare: isBare } = options
  const asked = { seconds, connections, owners, perSecond, seed, isBare, measuresHeap }
  const result = await soak({ ...asked, onSecond })
  bar.stop()
  return report(result, isBare) ? 0 : 1
}

await runCommand(command.action(exitWith(run)))
