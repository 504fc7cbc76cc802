/** Counts what callers do with keys. An isolate collects the counts, and writes them together. */

import { VaultError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import type { Service } from '../service.ts'
import { run } from '../store/d1.ts'
import { addSums, nameSum, type Sum } from '../store/events.ts'
import { publishEvents } from './publish.ts'

/** The time between two writes of an isolate. If it dies, it loses what it has counted since the last one. */
const WRITTEN_MS = 10_000
/** A write that is this late does not come: the runtime has ended its request. */
const LATE_MS = 30_000
/** The most sums that wait for a write. Each one has about 300 characters. */
const MAX_WAITING = 2_000

/** What an isolate has counted. */
interface Tally {
  sums: Map<string, Sum>
  /** When the next write may begin, and when the one that waits does; in milliseconds since the epoch. */
  freeAt: number
  writesAt: number | null
}

const tallies = new WeakMap<Service, Tally>()

/** Keeps the isolate alive until the work has ended. */
export type WaitUntil = (work: Promise<void>) => void

/** Counts one event. The first one is written after the answer, and what follows within 10 seconds. */
export function countEvent(
  service: Service,
  waitUntil: WaitUntil,
  event: Omit<Sum, 'count' | 'firstAt' | 'lastAt'>,
): void {
  const tally = tallies.get(service) ?? { sums: new Map(), freeAt: 0, writesAt: null }
  tallies.set(service, tally)
  const now = Date.now()
  const at = new Date(now).toISOString()
  if (tally.sums.size < MAX_WAITING) add(tally, { ...event, count: 1, firstAt: at, lastAt: at })
  if (tally.writesAt !== null && now < tally.writesAt + LATE_MS) return
  tally.writesAt = Math.max(now, tally.freeAt)
  waitUntil(write(service, tally, tally.writesAt - now))
}

function add({ sums }: Tally, sum: Sum): void {
  const name = sum.userId + nameSum(sum)
  const known = sums.get(name) ?? { ...sum, count: 0, errors: 0 }
  const [count, errors] = [known.count + sum.count, known.errors + sum.errors]
  const firstAt = known.firstAt < sum.firstAt ? known.firstAt : sum.firstAt
  const lastAt = known.lastAt > sum.lastAt ? known.lastAt : sum.lastAt
  sums.set(name, { ...sum, count, errors, firstAt, lastAt })
}

/**
 * Writes all sums with one statement, and publishes those that are new in their hour. If the write fails,
 * the sums wait for the next one. It never throws.
 */
async function write(service: Service, tally: Tally, delayMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  const sums = new Map(tally.sums)
  tally.sums.clear()
  tally.writesAt = null
  tally.freeAt = Date.now() + WRITTEN_MS
  try {
    const { results } = await run(service.db, addSums([...sums.values()]))
    // A sum that was there before holds more than what was just added.
    const begun = results.filter((sum) => sums.get(sum.userId + sum.id)?.count === sum.count)
    await publishEvents(service, [{ results: begun }])
  } catch (error) {
    for (const sum of sums.values()) add(tally, sum)
    const { code, cause = error } = VaultError.from(error)
    log('error', 'uses_not_recorded', { code, error: errorFields(cause) })
  }
}
