/** Each operation after each error of D1. */

import { env } from '../isolate.ts'
import { beforeEach, expect, it, vi } from 'vitest'
import { recordLogs, someKey, someKeyUser } from '../support.ts'
import {
  ADDS_LOAD,
  faultyD1,
  ONCE,
  REPEATED,
  RETRYABLE,
  type Operation,
} from './retried-operations.ts'

// No wait between two attempts.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0))

/** The code of each operation, and its round trips to a D1 that always fails. */
async function failuresOf(message: string, operations: Record<string, Operation>) {
  const failures: Record<string, object> = {}
  for (const [name, operation] of Object.entries(operations)) {
    const { db, trips } = faultyD1(['lost'], message)
    // oxlint-disable-next-line no-await-in-loop -- a failure names the operation
    const code = await operation(await someKeyUser(someKey()), { ...env, DB: db })
    failures[name] = { code, attempts: trips() }
  }
  return failures
}

function busyAfter(attempts: number, operations: Record<string, Operation>) {
  const failure = { code: 'database_busy', attempts }
  return Object.fromEntries(Object.keys(operations).map((name) => [name, failure]))
}

it.for(RETRYABLE)('each operation but a use has three attempts: %s', async (message) => {
  const logs = recordLogs()
  expect(await failuresOf(message, REPEATED)).toEqual(busyAfter(3, REPEATED))
  expect(await failuresOf(message, ONCE)).toEqual(busyAfter(1, ONCE))
  expect(logs.text()).toContain(message)
})

it.for(ADDS_LOAD)('each operation has one attempt: %s', async (message) => {
  recordLogs()
  const all = { ...REPEATED, ...ONCE }
  expect(await failuresOf(message, all)).toEqual(busyAfter(1, all))
})

it.for(Object.entries(REPEATED))(
  '%s is done by the third attempt after two lost requests',
  async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const { db } = faultyD1(['lost', 'lost', 'ok'])
    expect(await operation(userId, { ...env, DB: db })).toBe('ok')
  },
)
