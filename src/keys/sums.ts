/** Counts what callers do with keys. An isolate writes the first count of an hour at once, and collects the rest. */

import { log, logFailure } from '../log.ts'
import type { Service } from '../service.ts'
import { run } from '../store/d1.ts'
import { addSums, nameSum, splitSums, type Sum } from '../store/noted-events.ts'
import { publishEvents } from './publish.ts'

/** Counts are written after this time without a new one. A Worker may work on for 30 s. */
const QUIET_MS = 20_000
/** A busy isolate sets no more than one timer in this time. */
const TIMER_EVERY_MS = 5_000
/** No count of a busy isolate waits longer. */
const MAX_WAIT_MS = 15 * 60 * 1_000
/** The most sums that an isolate keeps. Each one has about 300 characters. */
const MAX_KEPT = 2_000
/** D1's time for a write. After a quiet time, the Worker is still there to keep what D1 did not take. */
const DEADLINE_MS = 5_000
/** How long after a write that failed the next one comes. */
const RETRY_MS = 5_000

/** What an isolate has counted. Times are in milliseconds since the epoch. */
interface Tally {
  waiting: Map<string, Sum>
  waitingSince: number
  timerSetAt: number
  /** When a write last failed. */
  failedAt: number
  /** The counts for which there was no room, since the log had their number. */
  dropped: number
  /** The names of the sums in `hour` that the isolate has written. */
  written: Set<string>
  hour: string
}

const tallies = new WeakMap<Service, Tally>()

/** Keeps the isolate alive until the work has ended. */
export type WaitUntil = (work: Promise<void>) => void

/** What writes sums: an isolate, while one of its requests keeps it alive. */
interface Writer {
  service: Service
  tally: Tally
  waitUntil: WaitUntil
}

/** Counts one event. The count of an event that is the first of its kind in the hour is written at once. */
export function countEvent(
  service: Service,
  waitUntil: WaitUntil,
  event: Omit<Sum, 'count' | 'firstAt' | 'lastAt'>,
): void {
  const now = Date.now()
  const at = new Date(now).toISOString()
  const sum: Sum = { ...event, count: 1, firstAt: at, lastAt: at }
  const tally = tallyOf(service, at.slice(0, 13))
  const writer = { service, tally, waitUntil }
  const { written } = tally
  if (!written.has(keyOf(sum)) && written.size < MAX_KEPT) {
    written.add(keyOf(sum))
    waitUntil(write(writer, [sum]))
    return
  }
  const isFull = tally.waiting.size >= MAX_KEPT
  if (isFull && now >= tally.failedAt + RETRY_MS) waitUntil(writeWaiting(writer))
  keep(tally, sum)
  if (now < tally.timerSetAt + TIMER_EVERY_MS) return
  tally.timerSetAt = now
  waitUntil(writeLater(writer, now))
}

function tallyOf(service: Service, hour: string): Tally {
  const none = {
    waiting: new Map(),
    waitingSince: 0,
    timerSetAt: 0,
    failedAt: 0,
    dropped: 0,
    written: new Set<string>(),
    hour,
  }
  const tally = tallies.get(service) ?? none
  if (tally.hour !== hour) tally.written.clear()
  tally.hour = hour
  tallies.set(service, tally)
  return tally
}

function keyOf(sum: Sum): string {
  return sum.userIdentity + nameSum(sum)
}

/** Adds a count to those that wait, if there is room. */
function keep(tally: Tally, sum: Sum): void {
  const { waiting } = tally
  if (waiting.size === 0) tally.waitingSince = Date.now()
  const earlier = waiting.get(keyOf(sum))
  if (earlier === undefined && waiting.size >= MAX_KEPT) {
    tally.dropped += sum.count
    return
  }
  const { count, errors, firstAt, lastAt } = earlier ?? { ...sum, count: 0, errors: 0 }
  waiting.set(keyOf(sum), {
    ...sum,
    count: count + sum.count,
    errors: errors + sum.errors,
    firstAt: firstAt < sum.firstAt ? firstAt : sum.firstAt,
    lastAt: lastAt > sum.lastAt ? lastAt : sum.lastAt,
  })
}

/** Writes what waits, unless a later timer will, or the isolate is busy. */
async function writeLater(writer: Writer, setAt: number): Promise<void> {
  await pass(QUIET_MS)
  const { timerSetAt, waitingSince } = writer.tally
  const isQuiet = timerSetAt === setAt
  if (isQuiet || Date.now() >= waitingSince + MAX_WAIT_MS) await writeWaiting(writer)
}

async function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Writes what waits. Each part succeeds or fails by itself, so that none is written twice. */
async function writeWaiting(writer: Writer): Promise<void> {
  const { waiting } = writer.tally
  const parts = splitSums([...waiting.values()])
  waiting.clear()
  await Promise.all(parts.map(async (part) => write(writer, part)))
}

/**
 * Writes the sums with one statement, and publishes those that are new in their hour. If the write fails,
 * they wait for a timer of their own. It never throws.
 */
async function write(writer: Writer, sums: readonly Sum[]): Promise<void> {
  const { service, tally, waitUntil } = writer
  try {
    const { results } = await run(service.db, addSums(sums), DEADLINE_MS)
    // A sum that was there before holds more than what was just added.
    const added = new Map(sums.map((sum) => [sum.userId + nameSum(sum), sum.count]))
    const begun = results.filter(({ userId, id, count }) => added.get(userId + id) === count)
    await publishEvents(service, [{ results: begun }])
  } catch (error) {
    tally.failedAt = Date.now()
    for (const sum of sums) keep(tally, sum)
    logFailure('uses_not_recorded', error)
    waitUntil(pass(RETRY_MS).then(async () => writeWaiting(writer)))
  }
  if (tally.dropped > 0) log('error', 'uses_dropped', { count: tally.dropped })
  tally.dropped = 0
}
