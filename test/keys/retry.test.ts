/** What is tried again after an error of D1, how often, and with which answer. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { VaultError } from '../../src/errors.ts'
import { deleteExpiredKeys, deleteOldEvents } from '../../src/keys/expiry.ts'
import { retry } from '../../src/keys/retry.ts'
import { openService } from '../../src/service.ts'
import { run } from '../../src/store/d1.ts'
import { interceptD1, recordLogs, someKey, someKeyUser, someUser, storedKey } from '../support.ts'
import {
  ADDS_LOAD,
  DELETIONS,
  faultyD1,
  http,
  LOST,
  NEW_KEY,
  ONCE,
  overtakenD1,
  REPEATED,
  RETRYABLE,
  SAVES,
  SLOT,
  trailOf,
  type Operation,
} from './retried-operations.ts'

// No wait between two attempts.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0))

/** How often work on a D1 that always fails is tried. */
async function attemptsOf(message: string) {
  const { db, trips } = faultyD1(['lost'], message)
  const work = retry(async (ms) => run(db, { sql: 'SELECT 1', values: [] }, ms))
  await expect(work).rejects.toMatchObject({ code: 'database_busy' })
  return trips()
}

it.for(RETRYABLE)(
  'an error that Cloudflare says to retry has three attempts: %s',
  async (message) => {
    const logs = recordLogs()
    expect(await attemptsOf(message)).toBe(3)
    expect(logs.text()).toContain(message)
  },
)

it.for(ADDS_LOAD)(
  'an error after which another attempt adds to the load has one: %s',
  async (message) => {
    expect(await attemptsOf(message)).toBe(1)
  },
)

it.for([
  ...Object.entries(REPEATED).map(([name, operation]) => [name, 3, operation] as const),
  ...Object.entries(ONCE).map(([name, operation]) => [name, 1, operation] as const),
])('%s is refused after this many lost requests: %i', async ([, attempts, operation]) => {
  recordLogs()
  const { db, trips } = faultyD1(['lost'])
  const code = await operation(await someKeyUser(someKey()), { ...env, DB: db })
  expect([code, trips()]).toEqual(['database_busy', attempts])
})

const someError = () => new VaultError('database_busy', { cause: new Error(LOST), retryAfter: 1 })

it.for<[outcome: string, calls: object, look: (error: unknown) => string | null]>([
  ['finds the work done', { looks: 1, works: 1 }, () => 'found'],
  ['finds nothing', { looks: 2, works: 3 }, () => null],
  [
    'gives up',
    { looks: 1, works: 1 },
    (error) => {
      throw error
    },
  ],
  [
    'fails too',
    { looks: 2, works: 1 },
    () => {
      throw someError()
    },
  ],
])('a look that %s has these calls: %j', async ([, expected, look]) => {
  recordLogs()
  const calls = { looks: 0, works: 0 }
  const work = async () => {
    calls.works += 1
    throw someError()
  }
  const counted = async (_ms: number, error: unknown) => {
    calls.looks += 1
    return look(error)
  }
  await retry(work, counted).catch(String)
  expect(calls).toEqual(expected)
})

it('an error that the vault does not know is a 500 after one attempt', async () => {
  recordLogs()
  const { db, trips } = faultyD1(['lost'], 'D1_ERROR: near "SELEC": syntax error')
  expect(await http('GET', SLOT)(await someUser(), { ...env, DB: db })).toBe('internal')
  expect(trips()).toBe(1)
})

/** What the trail has after the operation on a D1 that works. */
const trails = new Map<Operation, Promise<unknown[]>>()
async function expectedTrail(operation: Operation): Promise<unknown[]> {
  const work = trails.get(operation) ?? usualTrail(operation)
  trails.set(operation, work)
  return work
}
async function usualTrail(operation: Operation) {
  const userId = await someKeyUser(someKey())
  expect(await operation(userId, env)).toBe('ok')
  return trailOf(userId)
}

it.for(Object.entries(REPEATED))(
  '%s is done by the second attempt after a lost request',
  async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    expect(await operation(userId, { ...env, DB: faultyD1(['lost', 'ok']).db })).toBe('ok')
    expect(await trailOf(userId)).toEqual(await expectedTrail(operation))
  },
)

it.for(Object.entries(REPEATED))('%s is noted once after a lost answer', async ([, operation]) => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  expect(await operation(userId, { ...env, DB: faultyD1(['unheard', 'ok']).db })).toBe('ok')
  expect(await trailOf(userId)).toEqual(await expectedTrail(operation))
})

it.for(Object.entries(SAVES))('%s has saved the key after a lost answer', async ([, operation]) => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  await operation(userId, { ...env, DB: faultyD1(['unheard', 'ok']).db })
  expect(await storedKey(userId, env, 'openai')).toBe(NEW_KEY.api_key)
})

it.for(Object.entries(DELETIONS))(
  '%s has deleted the key after a lost answer',
  async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const { db, trips } = faultyD1(['unheard', 'ok'])
    expect(await operation(userId, { ...env, DB: db })).toBe('ok')
    expect(trips()).toBe(2)
    expect(await storedKey(userId, env, 'openai')).toBeNull()
  },
)

it('a deletion says that it deleted the key after a lost answer', async () => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  const props = { caller: 'test', grants: ['support'] }
  const context = Object.assign(createExecutionContext(), { props })
  const vault = new KeyVault(context, { ...env, DB: faultyD1(['unheard', 'ok']).db })
  expect(await vault.deleteKey(userId, 'openai')).toMatchObject({ ok: true, deleted: true })
})

const OTHER_KEY = { api_key: 'sk-test-other-0123456789' }
const saveOther = http('PUT', `${SLOT}?verify=false`, { body: OTHER_KEY })

it.for([
  ...Object.entries(SAVES).map(([name, save]) => [name, save, 'database_busy'] as const),
  ...Object.entries(DELETIONS).map(([name, deletion]) => [name, deletion, 'ok'] as const),
])('%s does not undo a save that came since its lost answer', async ([, operation, code]) => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  const DB = overtakenD1(async () => saveOther(userId, env))
  expect(await operation(userId, { ...env, DB })).toBe(code)
  expect(await storedKey(userId, env, 'openai')).toBe(OTHER_KEY.api_key)
})

it('a pause does not undo what came since its lost answer', async () => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  const resume = http('PATCH', SLOT, { body: { paused: false } })
  const DB = overtakenD1(async () => resume(userId, env))
  const pause = http('PATCH', SLOT, { body: { paused: true } })
  expect(await pause(userId, { ...env, DB })).toBe('ok')
  expect(await trailOf(userId)).toEqual(['saved', 'paused', 'resumed'])
})

it.for<
  [name: string, before: object | null, operation: Operation, later: Operation, kinds: string[]]
>([
  [
    'a pause of a paused key does not undo that it was resumed',
    { paused: true },
    http('PATCH', SLOT, { body: { paused: true } }),
    http('PATCH', SLOT, { body: { paused: false } }),
    ['saved', 'paused', 'resumed'],
  ],
  [
    'a change to the same callers does not undo a later change',
    { callers: ['binding:chat'] },
    http('PATCH', SLOT, { body: { callers: ['binding:chat'] } }),
    http('PATCH', SLOT, { body: { callers: [] } }),
    ['saved', 'limits_changed', 'limits_changed'],
  ],
  [
    'a deletion in an empty slot does not delete a key that was saved later',
    null,
    http('DELETE', SLOT),
    http('PUT', `${SLOT}?verify=false`, { body: NEW_KEY }),
    ['saved', 'deleted', 'saved'],
  ],
])('%s, and is refused', async ([, before, operation, later, kinds]) => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  const prepare = before === null ? http('DELETE', SLOT) : http('PATCH', SLOT, { body: before })
  expect(await prepare(userId, env)).toBe('ok')
  const DB = overtakenD1(async () => later(userId, env))
  expect(await operation(userId, { ...env, DB })).toBe('database_busy')
  expect(await trailOf(userId)).toEqual(kinds)
})

it('a use is counted once after a lost answer', async () => {
  recordLogs()
  const userId = await someKeyUser(someKey())
  await http('PATCH', SLOT, { body: { max_uses: { count: 9, per: 'day' } } })(userId, env)
  const { db } = faultyD1(['unheard', 'ok'])
  const use = http('GET', '/relay/openai/v1/models')
  expect(await use(userId, { ...env, DB: db })).toBe('database_busy')
  const sql = 'SELECT uses FROM api_keys WHERE user_id = ?1'
  expect(await env.DB.prepare(sql).bind(userId).first()).toEqual({ uses: 1 })
})

it.for<[name: string, operation: Operation, code: string]>([
  ['a save', http('PUT', `${SLOT}?verify=false`, { body: NEW_KEY }), 'user_not_found'],
  ['a deletion', http('DELETE', SLOT), 'user_not_found'],
  ['a pause', http('PATCH', SLOT, { body: { paused: true } }), 'user_not_found'],
])('%s of an unknown user is a 404 after a lost request', async ([, operation, code]) => {
  recordLogs()
  const { db } = faultyD1(['lost', 'ok'])
  expect(await operation(`absent-${crypto.randomUUID()}`, { ...env, DB: db })).toBe(code)
})

it.for([
  ['deleteExpiredKeys', deleteExpiredKeys],
  ['deleteOldEvents', deleteOldEvents],
] as const)('%s of the job does not try again', async ([, work]) => {
  const { db, trips } = faultyD1(['lost', 'ok'])
  const service = await openService({ ...env, DB: db })
  await expect(work(service)).rejects.toMatchObject({ code: 'database_busy' })
  expect(trips()).toBe(1)
})

it('logs each attempt that failed, without the key', async () => {
  const logs = recordLogs()
  const userId = await someKeyUser(someKey())
  const { db } = faultyD1(['lost', 'lost', 'ok'])
  await http('PUT', `${SLOT}?verify=false`, { body: NEW_KEY })(userId, { ...env, DB: db })
  const retried = { level: 'warn', event: 'database_retried', error: { message: LOST } }
  expect(logs.events()).toMatchObject([retried, retried, { event: 'request', status: 200 }])
  expect(logs.text()).not.toContain(NEW_KEY.api_key)
})

const statement = { sql: 'SELECT 1', values: [] }

/** When the attempts begin and the last one ends, in milliseconds, if each attempt takes `attemptMs`. */
async function timesOf(random: number, attemptMs: number) {
  vi.spyOn(Math, 'random').mockReturnValue(random)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const begun: number[] = []
  const startedAt = Date.now()
  const DB = interceptD1(async () => {
    begun.push(Date.now() - startedAt)
    await new Promise((resolve) => setTimeout(resolve, attemptMs))
    throw new Error(LOST)
  })
  recordLogs()
  const failed = retry(async (ms) => run(DB, statement, ms)).catch(() => Date.now() - startedAt)
  await vi.advanceTimersByTimeAsync(60_000)
  return { begun, endedAt: await failed }
}

it.for<[name: string, random: number, attemptMs: number, expected: object]>([
  ['fast failures', 0.5, 100, { begun: [0, 200, 700], endedAt: 800 }],
  ['long waits', 0.9, 100, { begun: [0, 280, 1_100], endedAt: 1_200 }],
  ['slow failures', 0.5, 1_500, { begun: [0, 1_600], endedAt: 3_100 }],
  ['a repetition without an answer', 0.5, 9_000, { begun: [0, 9_100], endedAt: 11_000 }],
])(
  'the attempts take at most 2 s more than the first one: %s',
  async ([, random, attemptMs, expected]) => {
    expect(await timesOf(random, attemptMs)).toEqual(expected)
  },
)
