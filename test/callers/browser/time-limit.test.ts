import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { inTime } from '../../../src/callers/browser/time-limit.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Work that never ends, with its signal. */
function hang() {
  let given: AbortSignal | undefined
  const work = async (signal: AbortSignal) => {
    given = signal
    return new Promise<never>(() => {})
  }
  return { work, isAborted: () => given?.aborted }
}

it('returns the result of the work, and leaves no timer', async () => {
  expect(await inTime(async () => 41)).toBe(41)
  expect(vi.getTimerCount()).toBe(0)
})

it('throws what the work throws, and leaves no timer', async () => {
  const work = inTime(async () => Promise.reject(new Error('broken')))
  await expect(work).rejects.toThrow('broken')
  expect(vi.getTimerCount()).toBe(0)
})

it('ends work that does not listen to its signal after 30 s', async () => {
  const { work, isAborted } = hang()
  const run = inTime(work).catch((error: unknown) => error)
  await vi.advanceTimersByTimeAsync(29_999)
  expect(isAborted()).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  expect(await run).toMatchObject({ code: 'no_answer' })
  expect(isAborted()).toBe(true)
})

it("ends work with the caller's signal, for its reason", async () => {
  const own = new AbortController()
  const { work, isAborted } = hang()
  const run = inTime(work, 30_000, own.signal).catch(String)
  own.abort(new Error('left the page'))
  expect(await run).toBe('Error: left the page')
  expect([isAborted(), vi.getTimerCount()]).toEqual([true, 0])
})

it('begins no work if the signal is aborted already', async () => {
  const work = vi.fn<() => Promise<void>>()
  const run = inTime(work, 30_000, AbortSignal.abort(new Error('too late')))
  await expect(run).rejects.toThrow('too late')
  expect(work).not.toHaveBeenCalled()
})
