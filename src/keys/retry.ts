/** Repeats work on D1 after an error that passes by itself. Work that is not safe to do twice needs a {@link Look}. */

import { VaultError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import type { Slot } from '../crypto/seal.ts'
import { isRetryable, type Statement } from '../store/d1.ts'
import { selectEventsSince } from '../store/events.ts'
import { changeOwned, runOwned } from './owned.ts'
import type { SlotOwner } from './stored-key.ts'

/** Repeating adds at most this to a request. */
const EXTRA_MS = 2_000
/** The longest wait before each repetition. A random part of it keeps isolates from coming back together. */
const WAITS_MS = [200, 800]

/** Work on D1, which a repetition has to finish within `deadlineMs`. */
type Work<T> = (deadlineMs?: number) => Promise<T>

/** Finds out whether an attempt was committed. It returns what to use as the result, or null if it was not. */
type Look<T> = (deadlineMs: number, error: unknown) => Promise<T | null>

/**
 * Does the work, and again after an error that Cloudflare says to retry, at most twice. The first attempt may
 * have been committed although its answer was lost. If doing it twice is wrong, `look` comes before each repetition.
 * To give up, it throws the error that it was given.
 *
 * @throws what the last attempt throws
 */
export async function retry<T>(work: Work<T>, look?: Look<T>): Promise<T> {
  return work().catch(async (error: unknown) => {
    const until = Date.now() + EXTRA_MS
    return repeat({ work, look }, { error, until, waits: WAITS_MS })
  })
}

/** A random suffix for the event's id, by which a {@link Look} finds the event after a lost answer. */
export function makeMark(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex()
}

/** A change of a slot that notes an event with this mark, if it changes anything. */
interface MarkedChange {
  slot: Slot
  mark: string
  statements: readonly Statement<object>[]
  /** Reads what the change has left. */
  read: readonly Statement<object>[]
  /**
   * Whether a row that `read` returns is what the change has left. Without such a row, nobody can tell, and the change
   * fails.
   */
  isResult?: (row: object) => boolean
}

/**
 * Changes a slot with one round trip to D1. If D1 fails, it tries again unless the trail has the event of this change:
 * then it returns that event and what `read` returns. It also gives up if the slot was changed by somebody else since:
 * the first attempt may have been committed before that, and another one would undo it.
 *
 * @throws VaultError `database_busy`, and as `changeOwned`
 */
export async function runMarked(
  owner: SlotOwner,
  { slot, mark, statements, read, isResult }: MarkedChange,
): Promise<D1Result<object>[]> {
  const since = new Date().toISOString()
  return retry<D1Result<object>[]>(
    async (ms) => changeOwned(owner, statements, ms),
    async (ms, error) => {
      const found = [selectEventsSince(slot, since), ...read] as const
      const [events, ...left] = await runOwned(owner, found, ms)
      if (events.results.length === 0) return null
      const noted = events.results.filter(({ id }) => id.endsWith(`.${mark}`))
      const isLeft = !isResult || left.some(({ results }) => results.some(isResult))
      if (noted.length === 0 || !isLeft) throw error
      return [{ ...events, results: noted }, ...left]
    },
  )
}

/** What is known after an attempt that failed. */
interface Failed {
  error: unknown
  /** When the last repetition must have ended, in milliseconds since the epoch. */
  until: number
  /** The longest waits of the repetitions that are left. */
  waits: readonly number[]
}

async function repeat<T>(
  { work, look }: { work: Work<T>; look: Look<T> | undefined },
  { error, until, waits: [longestMs, ...waits] }: Failed,
): Promise<T> {
  const waitMs = Math.random() * (longestMs ?? 0)
  const leftMs = () => Math.max(until - Date.now(), 0)
  if (longestMs === undefined || leftMs() <= waitMs || !isRetryable(error)) throw error
  log('warn', 'database_retried', { error: errorFields(VaultError.from(error).cause) })
  await new Promise((resolve) => setTimeout(resolve, waitMs))
  try {
    return (await look?.(leftMs(), error)) ?? (await work(leftMs()))
  } catch (next) {
    if (next === error) throw error
    return repeat({ work, look }, { error: next, until, waits })
  }
}
