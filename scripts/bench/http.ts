/** Measures the vault and, in the same run, bare Workers that do the same work. */

import { setTimeout as sleep } from 'node:timers/promises'
import { startBar } from '../lib/progress.ts'
import { send, type Load, type Measured } from './http/load.ts'
import { profile } from './http/profile.ts'
import { ROUTES, type Route } from './http/routes.ts'
import { startWorkers, type Workers } from './http/workers.ts'

/** The wait before a round's CPU time is read, so that work after the answers has ended. */
const SETTLE_MS = 50

/** The length of the measurement, and the amount of data. */
export interface BenchOptions {
  rounds: number
  seconds: number
  users: number
  slots: number
  routes: readonly string[]
}

/** One round. CPU is in µs per request. */
export type Round = Measured & { cpu: number }

/** The rounds of a Worker on a route. */
export interface Row {
  route: string
  worker: string
  rounds: Round[]
}

/** Measures each route. The Workers take turns in each round. The first round does not count. */
export async function measure(options: BenchOptions): Promise<Row[]> {
  const workers = await startWorkers(options)
  const bar = startBar('Measuring')
  try {
    const rows: Row[] = []
    for (const [index, name] of options.routes.entries()) {
      bar.move(index, options.routes.length)
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      rows.push(...(await measureRoute(workers, { name, ...findRoute(name) }, options)))
    }
    return rows
  } finally {
    bar.stop()
    await workers.close()
  }
}

/** @throws Error if there is no such route */
export function findRoute(name: string): Route {
  const route = ROUTES[name]
  if (route === undefined)
    throw new Error(`Unknown route. The routes are ${Object.keys(ROUTES).join(', ')}`)
  return route
}

async function measureRoute(
  workers: Workers,
  route: Route & { name: string },
  { rounds, seconds }: BenchOptions,
): Promise<Row[]> {
  const rows = route.workers
    .filter((worker) => worker !== 'flask' || workers.urls['flask'] !== undefined)
    .map((worker): Row => ({ route: route.name, worker, rounds: [] }))
  for (let round = -1; round < rounds; round += 1) {
    for (const row of rows) {
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      const measured = await measureRound(workers, route, { row, seconds: round < 0 ? 1 : seconds })
      if (round >= 0) row.rounds.push(measured)
    }
  }
  return rows
}

/** Sends load to a Worker on its turn. @throws Error if it refuses requests */
export async function measureRound(
  workers: Workers,
  route: Route,
  { row, seconds }: { row: Row; seconds: number },
): Promise<Round> {
  const { worker } = row
  const before = workers.cpu(worker)
  const measured = await send(loadOf(workers, route, worker), seconds)
  await sleep(SETTLE_MS)
  check(row, measured)
  return { ...measured, cpu: (workers.cpu(worker) - before) / measured.requests }
}

function loadOf({ urls, users }: Workers, route: Route, worker: string): Load {
  const { origin, pathname } = new URL(urls[worker] ?? '')
  const load = route.load(users)
  return { ...load, path: pathname.replace(/\/$/, '') + load.path, url: origin }
}

/** Fails if a Worker refuses requests, because error answers are fast. */
function check({ route, worker }: Row, { requests, refused }: Measured): void {
  const isMeant = route.startsWith('4') && worker !== 'hello'
  if (refused === (isMeant ? requests : 0)) return
  throw new Error(`${worker} refused ${refused} of ${requests} requests of ${route}`)
}

/** Prints the vault's CPU time on a route by function. */
export async function profileRoute(name: string): Promise<void> {
  const route = findRoute(name)
  const workers = await startWorkers({ users: 1_000, slots: 2, isProfiled: true })
  const load = loadOf(workers, route, route.workers.at(-1) ?? '')
  await send(load, 2)
  const vault = name.startsWith('hot-') ? 'hot' : 'vault'
  const hot = await profile(workers.inspectorUrl, vault, async () => send(load, 5))
  console.table(
    hot
      .slice(0, 40)
      .map(({ name: of, share }) => ({ function: of, '%': (share * 100).toFixed(1) })),
  )
  await workers.close()
}
