/** The time limit of a request, which may wait for an application that never gives a token. */

import { Problem } from './problem.ts'

export const LIMIT_MS = 30_000

/**
 * Returns the result of `work`, whose signal is aborted at the end.
 *
 * @throws Problem `no_answer` after `ms`, the reason of the caller's own signal, or what `work` throws
 */
export async function inTime<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms = LIMIT_MS,
  given?: AbortSignal,
): Promise<T> {
  given?.throwIfAborted()
  const end = new AbortController()
  const { signal } = end
  const timer = setTimeout(() => end.abort(new Problem('no_answer')), ms)
  const abort = () => end.abort(given?.reason)
  given?.addEventListener('abort', abort)
  const ended = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
  try {
    return await Promise.race([ended, work(signal)])
  } finally {
    clearTimeout(timer)
    given?.removeEventListener('abort', abort)
  }
}
