/** What is tried again after an error of D1, how often, and with which answer. */

import { createExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { retry } from '../../src/keys/retry.ts'
import { deleteOldEvents } from '../../src/keys/trail.ts'
import { openService } from '../../src/service.ts'
import { run } from '../../src/store/d1.ts'
import {
  call,
  interceptD1,
  mintToken,
  recordLogs,
  slotPath,
  someKey,
  someKeyUser,
  someUser,
  storedKey,
} from '../support.ts'

const LOST = 'D1_ERROR: Network connection lost.'

/** `lost`: D1 fails before it does the work. `unheard`: it does the work, and its answer is lost. */
type Outcome = 'lost' | 'unheard' | 'ok'

/** The real D1, with an outcome for each of the first round trips, and then the last one. */
function faultyD1(outcomes: readonly [...Outcome[], Outcome], message = LOST) {
  let trips = 0
  const db = interceptD1(async (trip) => {
    const outcome = outcomes[trips] ?? outcomes.at(-1)
    trips += 1
    if (outcome === 'lost') throw new Error(message)
    const result = await trip()
    if (outcome === 'unheard') throw new Error(message)
    return result
  })
  return { db, trips: () => trips }
}

/** The real D1, whose first answer is lost. Before the next round trip, `later` succeeds. */
function overtakenD1(later: () => Promise<string>): D1Database {
  let trips = 0
  return interceptD1(async (trip) => {
    const result = await trip()
    trips += 1
    if (trips > 1) return result
    expect(await later()).toBe('ok')
    throw new Error(LOST)
  })
}

/** Does something with the keys of a user who has a key for OpenAI, and returns the code of the answer. */
type Operation = (userId: string, vault: Env) => Promise<string>

function http(
  method: string,
  rest = '',
  { body, headers }: { body?: object; headers?: object } = {},
) {
  return async (userId: string, vault: Env): Promise<string> => {
    const token = await mintToken({ sub: userId, scope: 'relay' })
    const path = rest.startsWith('/relay') ? rest : `/api/users/${userId}${rest}`
    const options = { token, body, headers: { ...headers }, env: vault }
    const response = await call(method, path, options)
    await response.clone().text()
    return response.headers.get('X-Vault-Error') ?? 'ok'
  }
}

/** Changes the slot only if its key is the one that is there now. */
function ifMatch(method: string, body?: object): Operation {
  return async (userId, vault) => {
    const token = await mintToken({ sub: userId })
    const shown = await call('GET', slotPath(userId, 'openai'), { token })
    const headers = { 'If-Match': shown.headers.get('ETag') ?? '' }
    const rest = `/api-keys/openai?verify=false`
    return http(method, rest, { headers, ...(body && { body }) })(userId, vault)
  }
}

function binding(method: (vault: KeyVault, userId: string) => Promise<object>): Operation {
  return async (userId, vault) => {
    const props = { caller: 'test', grants: ['use', 'reveal', 'users', 'support'] }
    const context = Object.assign(createExecutionContext(), { props })
    const result = await method(new KeyVault(context, vault), userId)
    return 'code' in result ? String(result.code) : 'ok'
  }
}

const NEW_KEY = { api_key: 'sk-test-new-0123456789' }
const SLOT = '/api-keys/openai'

const READS: Record<string, Operation> = {
  'the plain route': http('GET', '/api-key'),
  'a slot': http('GET', SLOT),
  'the list': http('GET', '/api-keys'),
  'the trail': http('GET', '/api-key-events'),
  'hasUser over a binding': binding(async (vault, id) => vault.hasUser(id)),
}

const SAVES: Record<string, Operation> = {
  'a save': http('PUT', `${SLOT}?verify=false`, { body: NEW_KEY }),
  'a save with If-Match': ifMatch('PUT', NEW_KEY),
}

const DELETIONS: Record<string, Operation> = {
  'a deletion': http('DELETE', SLOT),
  'a deletion with If-Match': ifMatch('DELETE'),
  'a deletion over a binding': binding(async (vault, id) => vault.deleteKey(id, 'openai')),
}

const LIMITS: Record<string, Operation> = {
  'a pause': http('PATCH', SLOT, { body: { paused: true } }),
  'a pause with If-Match': ifMatch('PATCH', { paused: true }),
  'a pause over a binding': binding(async (vault, id) => vault.pauseKey(id, 'openai')),
  'a change of limits': http('PATCH', SLOT, { body: { callers: ['chat'] } }),
  'a change of limits with a pause': http('PATCH', SLOT, { body: { paused: true, callers: [] } }),
}

/** Doing these twice would count or note something twice, or give the wrong answer. */
const ONCE: Record<string, Operation> = {
  'a use over the relay': http('GET', '/relay/openai/v1/models'),
  'a key that is revealed': binding(async (vault, id) => vault.getDecryptedApiKey(id, 'openai')),
  'a user who is added': binding(async (vault) => vault.createUser(crypto.randomUUID())),
  'a user who is deleted': binding(async (vault, id) => vault.deleteUser(id)),
}

const REPEATED = { ...READS, ...SAVES, ...DELETIONS, ...LIMITS }

/** The kinds of events in the user's trail; those of one millisecond by their names. */
async function trailOf(userId: string): Promise<unknown[]> {
  const sql = `SELECT event FROM api_key_events WHERE user_id = ?1 AND actor <> 'job'
    ORDER BY substr(id, 1, 24), event`
  const { results } = await env.DB.prepare(sql).bind(userId).all<{ event: string }>()
  return results.map(({ event }) => event)
}

beforeEach(() => {
  // No wait between two attempts.
  vi.spyOn(Math, 'random').mockReturnValue(0)
})

describe('an error that Cloudflare says to retry', () => {
  const messages = [
    'D1_ERROR: D1 DB reset because its code was updated.',
    'D1_ERROR: Internal error while starting up D1 DB storage caused object to be reset.',
    'Network connection lost.',
    'D1_ERROR: Internal error in D1 DB storage caused object to be reset.',
    'D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.',
    "D1_ERROR: Can't read from request stream because client disconnected.",
  ]

  it.for(messages)('is a 503 after three attempts, and after one use: %s', async (message) => {
    const logs = recordLogs()
    expect(await failuresOf(message, REPEATED)).toEqual(busyAfter(3, REPEATED))
    expect(await failuresOf(message, ONCE)).toEqual(busyAfter(1, ONCE))
    expect(logs.text()).toContain(message)
  })
})

describe('an error after which another attempt adds to the load', () => {
  it.for([
    'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.',
    'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
    'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
    "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
    'D1_ERROR: D1 DB exceeded its CPU time limit and was reset.',
    'Your account is doing too many concurrent storage operations. Please back off.',
    'There was no answer within 10000 ms',
  ])('is a 503 after one attempt: %s', async (message) => {
    recordLogs()
    const all = { ...REPEATED, ...ONCE }
    expect(await failuresOf(message, all)).toEqual(busyAfter(1, all))
  })
})

/** The code of each operation, and its round trips to a D1 that always fails. */
async function failuresOf(message: string, operations: Record<string, Operation>) {
  const failures: Record<string, object> = {}
  for (const [name, operation] of Object.entries(operations)) {
    const { db, trips } = faultyD1(['lost'], message)
    const code = await operation(await someKeyUser(someKey()), { ...env, DB: db })
    failures[name] = { code, attempts: trips() }
  }
  return failures
}

function busyAfter(attempts: number, operations: Record<string, Operation>) {
  const failure = { code: 'database_busy', attempts }
  return Object.fromEntries(Object.keys(operations).map((name) => [name, failure]))
}

it('another error is a 500 after one attempt', async () => {
  recordLogs()
  const { db, trips } = faultyD1(['lost'], 'D1_ERROR: near "SELEC": syntax error')
  expect(await http('GET', SLOT)(await someUser(), { ...env, DB: db })).toBe('internal')
  expect(trips()).toBe(1)
})

describe('after a lost request', () => {
  it.for(Object.entries(REPEATED))('%s is done by the second attempt', async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const expected = await someKeyUser(someKey())
    expect(await operation(expected, env)).toBe('ok')
    expect(await operation(userId, { ...env, DB: faultyD1(['lost', 'ok']).db })).toBe('ok')
    expect(await trailOf(userId)).toEqual(await trailOf(expected))
  })

  it.for(Object.entries(REPEATED))('%s is done by the third attempt', async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const { db } = faultyD1(['lost', 'lost', 'ok'])
    expect(await operation(userId, { ...env, DB: db })).toBe('ok')
  })

  it.for(Object.entries(ONCE))('%s is refused', async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const { db } = faultyD1(['lost', 'ok'])
    expect(await operation(userId, { ...env, DB: db })).toBe('database_busy')
  })
})

describe('after a lost answer', () => {
  it.for(Object.entries(REPEATED))('%s succeeds, and is noted once', async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const expected = await someKeyUser(someKey())
    expect(await operation(expected, env)).toBe('ok')
    expect(await operation(userId, { ...env, DB: faultyD1(['unheard', 'ok']).db })).toBe('ok')
    expect(await trailOf(userId)).toEqual(await trailOf(expected))
  })

  it.for(Object.entries(SAVES))('%s has saved the key', async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    await operation(userId, { ...env, DB: faultyD1(['unheard', 'ok']).db })
    expect(await storedKey(userId, env, 'openai')).toBe(NEW_KEY.api_key)
  })

  it.for(Object.entries(DELETIONS))('%s has deleted the key', async ([, operation]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const { db, trips } = faultyD1(['unheard', 'ok'])
    expect(await operation(userId, { ...env, DB: db })).toBe('ok')
    expect(trips()).toBe(2)
    expect(await storedKey(userId, env, 'openai')).toBeNull()
  })

  it('a deletion says that it deleted the key', async () => {
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
  ])('%s does not undo a save that came since', async ([, operation, code]) => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const DB = overtakenD1(async () => saveOther(userId, env))
    expect(await operation(userId, { ...env, DB })).toBe(code)
    expect(await storedKey(userId, env, 'openai')).toBe(OTHER_KEY.api_key)
  })

  it('a pause does not undo what came since', async () => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    const resume = http('PATCH', SLOT, { body: { paused: false } })
    const DB = overtakenD1(async () => resume(userId, env))
    const pause = http('PATCH', SLOT, { body: { paused: true } })
    expect(await pause(userId, { ...env, DB })).toBe('ok')
    expect(await trailOf(userId)).toEqual(['saved', 'paused', 'resumed'])
  })

  it('a use is counted once', async () => {
    recordLogs()
    const userId = await someKeyUser(someKey())
    await http('PATCH', SLOT, { body: { max_uses: { count: 9, per: 'day' } } })(userId, env)
    const { db } = faultyD1(['unheard', 'ok'])
    const use = http('GET', '/relay/openai/v1/models')
    expect(await use(userId, { ...env, DB: db })).toBe('database_busy')
    const sql = 'SELECT uses FROM api_keys WHERE user_id = ?1'
    expect(await env.DB.prepare(sql).bind(userId).first()).toEqual({ uses: 1 })
  })
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
] as const)('the job does not try again: %s', async ([, work]) => {
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

describe('the time of the attempts', () => {
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
  ])('is at most 2 s longer than the first one: %s', async ([, random, attemptMs, expected]) => {
    expect(await timesOf(random, attemptMs)).toEqual(expected)
  })
})
