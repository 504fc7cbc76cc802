/** Counts what callers do with keys. An isolate writes the first count of an hour at once, and collects the rest. */

import { log, logFailure } from '../log.ts'
import type { Service } from '../service.ts'
import { run } from '../store/d1.ts'
import {
  addSums,
  begunIn,
  nameSum,
  splitSums,
  type Counted,
  type Sum,
} from '../store/noted-events.ts'
import { publishEvents } from './publish.ts'
import { Tally } from './tally.ts'

/** Counts are written after this time without a new one. A Worker may work on for 30 s after an answer. */
const QUIET_MS = 20_000
/** An isolate sets no more than one timer in this time. */
const TIMER_EVERY_MS = 5_000
/**
 * No count of a busy isolate waits longer. By then, a caller who goes on has a first count in the next hour, and that write
 * takes along what waits.
 */
const MAX_WAIT_MS = 65 * 60 * 1_000
/** How long D1 may take for a write. After {@link QUIET_MS}, the Worker then still has time to keep what D1 did not take. */
const DEADLINE_MS = 5_000
/** The time from a failed write to the next one, and the least time between two log lines about failures. */
const RETRY_MS = 5_000

/** What an isolate has counted. Times are in milliseconds since the epoch. */
interface Counts {
  tally: Tally
  timerSetAt: number
  /** When the isolate had last counted nothing for {@link QUIET_MS}. */
  quietAt: number
  /** When a write failed, or when the write of everything after that began; null once that has succeeded. */
  failedAt: number | null
  loggedAt: number
}

const allCounts = new WeakMap<Service, Counts>()

/** Keeps the isolate alive until the work has ended. */
export type WaitUntil = (work: Promise<void>) => void

/** What writes sums: an isolate, while one of its requests keeps it alive. */
interface Writer {
  service: Service
  counts: Counts
  waitUntil: WaitUntil
  /** When its last write begins. A write that the runtime breaks off would be lost. */
  endsAt: number
}

/** Counts one event. The first one of its kind in the hour is written at once, with what waits for the same row. */
export function countEvent(
  service: Service,
  waitUntil: WaitUntil,
  { errors, ...counted }: Counted & { errors: number },
): void {
  const now = Date.now()
  const at = new Date(now).toISOString()
  const [hour, time] = [at.slice(11, 13), at.slice(14, 23)]
  const counts = countsOf(service)
  const { tally, failedAt } = counts
  const writer = { service, counts, waitUntil, endsAt: now + QUIET_MS }
  const isFirst = tally.beginsHour(counted, at)
  tally.keep({ ...counted, day: at.slice(0, 10), hours: { [hour]: [1, errors, time, time] } }, now)
  const isDue = failedAt === null ? tally.isFull : now >= failedAt + RETRY_MS
  if (isDue) waitUntil(writeAll(writer))
  else if (isFirst && failedAt === null) waitUntil(writeRow(writer, counted))
  setTimer(writer, now)
}

function countsOf(service: Service): Counts {
  const known = allCounts.get(service)
  if (known !== undefined) return known
  const counts = { tally: new Tally(), timerSetAt: 0, quietAt: 0, failedAt: null, loggedAt: 0 }
  allCounts.set(service, counts)
  return counts
}

function setTimer(writer: Writer, now: number): void {
  const { counts, waitUntil, endsAt } = writer
  if (counts.tally.isEmpty || now >= endsAt || now < counts.timerSetAt + TIMER_EVERY_MS) return
  counts.timerSetAt = now
  waitUntil(writeLater(writer, now))
}

/** Writes what is due. Until then, it tries again what D1 did not take. */
async function writeLater(writer: Writer, setAt: number): Promise<void> {
  const { counts, endsAt } = writer
  for (let now = Date.now(); now < endsAt && !counts.tally.isEmpty; now = Date.now()) {
    // oxlint-disable-next-line no-await-in-loop -- one attempt comes after the other
    await pass(Math.min(RETRY_MS, endsAt - now))
    // oxlint-disable-next-line no-await-in-loop -- as above
    if (counts.failedAt !== null && Date.now() >= counts.failedAt + RETRY_MS) await writeAll(writer)
  }
  if (counts.failedAt !== null || counts.tally.isEmpty) return
  if (counts.timerSetAt === setAt) await writeAfterQuiet(writer)
  else await writeParts(writer, counts.tally.takeSince(Date.now() - MAX_WAIT_MS))
}

/**
 * Writes everything if the isolate was busy until now: it may be about to end. An isolate with pauses writes only the sums
 * that have grown to twice what is written of the day, so that a caller costs few rows however many pauses there are.
 */
async function writeAfterQuiet(writer: Writer): Promise<void> {
  const { counts } = writer
  const { tally, quietAt } = counts
  const longAgo = Date.now() - MAX_WAIT_MS
  counts.quietAt = Date.now()
  const sums =
    quietAt <= longAgo ? tally.takeAll() : [...tally.takeSince(longAgo), ...tally.takeHalves()]
  await writeParts(writer, sums)
}

async function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function writeRow(writer: Writer, counted: Counted): Promise<void> {
  await writeParts(writer, writer.counts.tally.takeSame(counted, Date.now()))
}

/** Writes all that waits, and what comes meanwhile. No other write begins in this time. */
async function writeAll(writer: Writer): Promise<void> {
  const { counts } = writer
  const { tally } = counts
  counts.failedAt = Date.now()
  if (!(await writeParts(writer, tally.takeAll()))) return
  counts.failedAt = null
  await writeParts(writer, tally.takeAll())
}

/** Each part succeeds or fails by itself, so that none is written twice. Returns whether all have succeeded. */
async function writeParts(writer: Writer, sums: readonly Sum[]): Promise<boolean> {
  const parts = await Promise.all(splitSums(sums).map(async (part) => write(writer, part)))
  const count = writer.counts.tally.takeLost()
  if (count > 0) log('error', 'not_in_trail', { count })
  return parts.every(Boolean)
}

/**
 * Writes the sums with one statement, and publishes the events that are new. Returns false if D1 does not take them: then
 * they wait for the next write. It never throws.
 */
async function write(writer: Writer, sums: readonly Sum[]): Promise<boolean> {
  const { service, counts } = writer
  const { tally } = counts
  try {
    const { results } = await run(service.db, addSums(sums), DEADLINE_MS)
    for (const sum of sums) tally.noteWritten(sum)
    const added = new Map(sums.map((sum) => [sum.userId + sum.day + nameSum(sum), sum.hours]))
    const begun = results.flatMap((row) => begunIn(row, added.get(row.userId + row.day + row.id)))
    await publishEvents(service, [{ results: begun }])
    return true
  } catch (error) {
    const now = Date.now()
    for (const sum of sums) tally.keep(sum, now)
    counts.failedAt = now
    // The pause may have come from D1, not from the callers.
    counts.quietAt = 0
    logFault(counts, error)
    setTimer(writer, now)
    return false
  }
}

function logFault(counts: Counts, error: unknown): void {
  const now = Date.now()
  if (now < counts.loggedAt + RETRY_MS) return
  counts.loggedAt = now
  logFailure('uses_not_recorded', error)
}
