import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { inTime } from '../../src/shared/deadline.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** Work that lasts `ms`. */
async function workFor(ms: number, end: () => string): Promise<string> {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return end()
}
const done = () => 'done'
const fail = () => {
  throw new Error('failed')
}

/** What the work with a limit of 100 ms comes to. */
async function outcomeOf(work: Promise<string>, late?: () => Error) {
  const outcome = inTime(work, 100, late).catch(String)
  await vi.advanceTimersByTimeAsync(1_000)
  return outcome
}

it.for<[name: string, ms: number, end: () => string, outcome: string]>([
  ['ends in time returns its result', 99, done, 'done'],
  ['fails in time throws its error', 99, fail, 'Error: failed'],
  [
    'ends late throws the error of the limit',
    101,
    done,
    'Error: There was no answer within 100 ms',
  ],
  [
    'fails late throws the error of the limit',
    101,
    fail,
    'Error: There was no answer within 100 ms',
  ],
])('work that %s', async (row) => {
  const [, ms, end, outcome] = row
  expect(await outcomeOf(workFor(ms, end))).toBe(outcome)
})

it('work that never ends fails as soon as the time is up', async () => {
  let outcome: unknown = 'none yet'
  const work = inTime(new Promise(() => {}), 100).catch((error: unknown) => (outcome = error))
  await vi.advanceTimersByTimeAsync(99)
  expect(outcome).toBe('none yet')
  await vi.advanceTimersByTimeAsync(1)
  expect(await work).toMatchObject({ message: 'There was no answer within 100 ms' })
})

it('late work fails with the error that the caller gives', async () => {
  const late = () => new RangeError('too late')
  expect(await outcomeOf(new Promise(() => {}), late)).toBe('RangeError: too late')
})

it.for<[name: string, work: () => Promise<string>]>([
  ['succeeds', async () => 'done'],
  ['fails', async () => fail()],
])('work that %s leaves no timer behind', async ([, work]) => {
  await inTime(work(), 100).catch(String)
  expect(vi.getTimerCount()).toBe(0)
})
