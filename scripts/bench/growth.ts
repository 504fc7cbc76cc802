/** Measures the vault with few users and with many, which take turns in one run. */

import { findRoute, measureRound, type BenchOptions, type Row } from './http.ts'
import { median } from './http/report.ts'
import { startWorkers, type Workers } from './http/workers.ts'

const USERS = [1_000, 100_000, 1_000_000]
const SLOTS = [1, 10]
const ROUTES = ['GET', 'list', 'PUT', 'DELETE']

/** A vault with a number of users, and its rounds on the route that is being measured. */
interface Size {
  users: number
  workers: Workers
  row: Row
}

/** Prints the figures of each size, and how its p50 compares with that of the fewest users. */
export async function benchGrowth(
  options: Pick<BenchOptions, 'rounds' | 'seconds'>,
): Promise<void> {
  for (const slots of SLOTS) {
    const sizes: Size[] = []
    for (const users of USERS) {
      // oxlint-disable-next-line no-await-in-loop -- one database after the other
      const workers = await startWorkers({ users, slots })
      sizes.push({ users, workers, row: { route: '', worker: 'vault', rounds: [] } })
    }
    for (const route of ROUTES) {
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      await measureSizes(sizes, route, options)
      console.table(sizes.map((size) => figuresOf(size, { slots, fewest: sizes[0] ?? size })))
    }
    // oxlint-disable-next-line no-await-in-loop
    await Promise.all(sizes.map(async ({ workers }) => workers.close()))
  }
}

async function measureSizes(
  sizes: readonly Size[],
  route: string,
  { rounds, seconds }: Pick<BenchOptions, 'rounds' | 'seconds'>,
): Promise<void> {
  for (const size of sizes) size.row = { route, worker: 'vault', rounds: [] }
  for (let round = -1; round < rounds; round += 1) {
    for (const { workers, row } of sizes) {
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      const measured = await measureRound(workers, findRoute(route), { row, seconds })
      if (round >= 0) row.rounds.push(measured)
    }
  }
}

function figuresOf({ users, row }: Size, { slots, fewest }: { slots: number; fewest: Size }) {
  const { rounds, route } = row
  const ratios = rounds.map(({ p50 }, index) => p50 / (fewest.row.rounds[index]?.p50 ?? Number.NaN))
  return {
    route,
    slots,
    users,
    'requests/s': Math.round(median(rounds.map(({ perSecond }) => perSecond))),
    'p50 ms': median(rounds.map(({ p50 }) => p50)),
    'p99 ms': median(rounds.map(({ p99 }) => p99)),
    'CPU µs': Math.round(median(rounds.map(({ cpu }) => cpu))),
    'p50 ÷ that of the fewest': Number(median(ratios).toFixed(2)),
  }
}
