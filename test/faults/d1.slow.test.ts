/** Each call of D1, of each operation, fails in each way. A new call is tested without a new line here. */

import { beforeEach, describe, expect, it, vi } from 'vitest'
import { recordLogs } from '../support.ts'
import {
  breakableD1,
  expectQuiet,
  expectSafe,
  hang,
  MARK,
  someVault,
  useFakeTimers,
  type Break,
} from './fault.ts'
import { METHODS, REQUESTS, someSubject, stateBegun, type Operation } from './operations.ts'
import { stateOf } from './state.ts'

interface Fault {
  what: string
  how: Break
  code: string
  /** Whether D1 does the work before it fails. */
  isLate?: boolean
  /** Whether the vault may try again. */
  isRetried?: boolean
  hangs?: boolean
}

const throws = (message: string) => async () => {
  throw new Error(`${message} (${MARK})`)
}
const late = (how: Break) => async (trip: Parameters<Break>[0]) => {
  await trip().catch(() => null)
  return how(trip)
}
const LOST = throws('D1_ERROR: Network connection lost.')

const BUSY = 'database_busy'
const FAULTS: readonly Fault[] = [
  { what: 'throws an unknown error', how: throws('D1_ERROR: new'), code: 'internal' },
  { what: 'loses the request', how: LOST, code: BUSY, isRetried: true },
  { what: 'loses the answer', how: late(LOST), code: BUSY, isRetried: true, isLate: true },
  { what: 'is overloaded', how: throws('D1_ERROR: D1 DB is overloaded.'), code: BUSY },
  { what: 'hangs', how: hang, code: BUSY, hangs: true },
  { what: 'hangs afterwards', how: late(hang), code: BUSY, isLate: true, hangs: true },
]

const CASES = [...REQUESTS, ...METHODS].map((operation) => [operation.name, operation] as const)

/** What an operation does in an untouched vault. */
interface Known {
  before: object
  /** After what it does first. */
  begun: object
  asked: object
  /** How often it calls D1. */
  calls: number
}

const known = new Map<Operation, Known>()

/** Does the operation in an untouched vault, if it was not done before. */
async function measure(operation: Operation): Promise<Known> {
  const measured = known.get(operation)
  if (measured !== undefined) return measured
  const userId = await someSubject(operation)
  const before = await stateOf(userId)
  const begun = await stateBegun(operation)
  const { db, calls } = breakableD1()
  const { code } = await operation.run(userId, someVault({ ...operation.vars, DB: db }))
  expect(code).toBe(operation.code)
  const fresh = { before, begun, asked: await stateOf(userId), calls: calls() }
  known.set(operation, fresh)
  return fresh
}

/** The calls of D1 that break. */
interface Calls {
  first: number
  last: number
}

/** Each call with all that follow, and by itself if that makes a difference. */
function everyCall({ calls }: Known, { isRetried = false }: Fault): Calls[] {
  const numbers = Array.from({ length: calls }, (_, index) => index + 1)
  const lasting = numbers.map((first) => ({ first, last: Infinity }))
  const single = numbers.map((first) => ({ first, last: first }))
  return isRetried ? [...lasting, ...single] : lasting
}

/** Does the operation while calls of D1 break, and then for another user when they do not. */
async function attempt(operation: Operation, how: Break, { first, last }: Calls) {
  const { db, breakCalls, mend } = breakableD1()
  const vault = someVault({ ...operation.vars, DB: db })
  const userId = await someSubject(operation)
  breakCalls(how, first, last)
  const answer = await operation.run(userId, vault)
  mend()
  const state = await stateOf(userId)
  const clock = vi.spyOn(Date, 'now')
  if (operation.restMs !== undefined) clock.mockReturnValue(Date.now() + operation.restMs)
  const nextUser = await someSubject(operation)
  const { code } = await operation.run(nextUser, vault)
  clock.mockRestore()
  return { ...answer, state, next: { code, state: await stateOf(nextUser) } }
}

/** The codes that the operation may answer with if these calls break. */
function codesOf(operation: Operation, fault: Fault, { first, last }: Calls): string[] {
  const isAfterwards = first > (operation.waitsFor ?? Infinity)
  const refusal = isAfterwards
    ? (operation.later ?? operation.code)
    : (operation.fault ?? fault.code)
  // Another attempt may make good a single fault.
  return first === last ? [refusal, operation.code] : [refusal]
}

beforeEach(() => {
  // No wait between two attempts.
  vi.spyOn(Math, 'random').mockReturnValue(0)
})

describe.for(FAULTS.map((fault) => [fault.what, fault] as const))('D1 %s', ([what, fault]) => {
  it.for(CASES)(`%s answers safely if D1 ${what} at any of its calls`, async ([, operation]) => {
    const logs = recordLogs()
    if (fault.hangs === true) useFakeTimers()
    const usual = await measure(operation)
    const { before, begun, asked } = usual
    const lost = fault.isLate === true ? [before, begun, asked] : [before, begun]
    for (const calls of everyCall(usual, fault)) {
      const { code: seen, text, state, next } = await attempt(operation, fault.how, calls)
      const isDone = seen === operation.code
      expect({ calls, code: seen, state, next }).toEqual({
        calls,
        code: expect.toBeOneOf(codesOf(operation, fault, calls)),
        state: expect.toBeOneOf(isDone ? [asked] : lost),
        next: { code: operation.code, state: asked },
      })
      expectQuiet(text)
    }
    const isLogged = new RegExp(`${MARK}|There was no answer`).test(logs.text())
    expect(isLogged).toBe(usual.calls > 0)
    expectSafe(logs.text())
  })
})
