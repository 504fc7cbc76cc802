/** Parts of the vault that fail on command. */

import { env } from '../isolate.ts'
import { expect, onTestFinished, vi } from 'vitest'
import { interceptD1 } from '../support.ts'
import { KEY } from './operations.ts'

/** In the message of each fault, and in no answer. */
export const MARK = 'mark-of-a-fault'

/** More than any deadline. */
const LONG_MS = 60_000

/** Makes {@link hang} work until the end of the test. */
export function useFakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
}

/** Never answers. The time passes at once, so a caller with a deadline gives up. */
export async function hang(): Promise<never> {
  queueMicrotask(() => void vi.advanceTimersByTime(LONG_MS))
  return new Promise(() => {})
}

/** Throws an error with the mark in its message. */
export async function fail(): Promise<never> {
  throw new Error(MARK)
}

/** A call of D1. */
type Trip = () => Promise<unknown>

/** What a call of D1 does instead. */
export type Break = (trip: Trip) => Promise<unknown>

/** The real D1, of which some calls break: the `first`, and those until `last`. */
export function breakableD1() {
  const state = { calls: 0, first: Infinity, last: Infinity }
  let broken: Break = fail
  const db = interceptD1(async (trip) => {
    state.calls += 1
    return state.calls < state.first || state.calls > state.last ? trip() : broken(trip)
  })
  return {
    db,
    calls: () => state.calls,
    breakCalls: (how: Break, first: number, last: number) => {
      broken = how
      Object.assign(state, { calls: 0, first, last })
    },
    mend: () => void Object.assign(state, { first: Infinity }),
  }
}

/** An isolate's environment: one object, with `changes`. */
export function someVault(changes: object): Env {
  return { ...env, ...changes }
}

/** Nothing of a fault, and nothing secret, is in an answer. */
export function expectQuiet(text: string): void {
  expect(text).not.toContain(MARK)
  expect(text).not.toMatch(/\bat \S+ \(|\.(?:ts|js):\d|D1_|There was no answer/)
}

/** No key and no token is in the log. */
export function expectSafe(logged: string): void {
  expect(logged).not.toContain(KEY)
  expect(logged).not.toMatch(/eyJ[\w-]+\./)
}
