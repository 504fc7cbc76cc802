/** Repeats work on D1 after an error that passes by itself. The work must be safe to do twice. */

import { VaultError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import { isRetryable } from '../store/d1.ts'

/** Repeating adds at most this to a request. */
const EXTRA_MS = 2_000
/** The longest wait before each repetition. A random part of it keeps isolates from coming back together. */
const WAITS_MS = [200, 800]

/** Work on D1, which a repetition has to finish within `deadlineMs`. */
type Work<T> = (deadlineMs?: number) => Promise<T>

/**
 * Does the work, and again after an error that Cloudflare says to retry, at most twice. The first attempt may
 * have been committed although its answer was lost. If doing it twice is wrong, `again` looks first, and gives up
 * if it throws the error that it was given.
 *
 * @throws what the last attempt throws
 */
export async function retry<T>(
  work: Work<T>,
  again: (deadlineMs: number, error: unknown) => Promise<T> = work,
): Promise<T> {
  return work().catch(async (error: unknown) => {
    const until = Date.now() + EXTRA_MS
    return repeat(again, { error, until, waits: WAITS_MS })
  })
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
  again: (deadlineMs: number, error: unknown) => Promise<T>,
  { error, until, waits: [longestMs, ...waits] }: Failed,
): Promise<T> {
  const waitMs = Math.random() * (longestMs ?? 0)
  const leftMs = until - Date.now() - waitMs
  if (longestMs === undefined || leftMs <= 0 || !isRetryable(error)) throw error
  log('warn', 'database_retried', { error: errorFields(VaultError.from(error).cause) })
  await new Promise((resolve) => setTimeout(resolve, waitMs))
  return again(leftMs, error).catch(async (next: unknown) => {
    if (next === error) throw error
    return repeat(again, { error: next, until, waits })
  })
}
