/** What the errors of D1 mean: which of them pass, when to try again, and what an operator has to run. */

import { expect, it, onTestFinished, vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import {
  isRetryable,
  run,
  runBatch,
  type Statement,
  isRefusal,
  NOW,
  refuse,
  type Refusal,
} from '../../src/store/d1.ts'
import { checkSlot } from '../../src/store/slot-check.ts'
import { env } from '../isolate.ts'
import { call, interceptD1, keyPath, mintToken, recordLogs, someUser } from '../support.ts'

const SELECT: Statement<{ one: number }> = { sql: 'SELECT ?1 AS one', values: [1] }

/** Fails every round trip as D1 does: its cause has the same words. */
function failingD1(message: string): D1Database {
  const cause = new Error(message.replace('D1_ERROR: ', ''))
  return interceptD1(async () => Promise.reject(new Error(message, { cause })))
}

/** What `run` throws. */
async function errorOf(db: D1Database): Promise<unknown> {
  return run(db, SELECT).catch((error: unknown) => error)
}

it('runs a statement with its values, and a batch as one transaction', async () => {
  expect((await run(env.DB, SELECT)).results).toEqual([{ one: 1 }])
  const userId = `user-${crypto.randomUUID()}`
  const insert: Statement = { sql: 'INSERT INTO users (id) VALUES (?1)', values: [userId] }
  const count: Statement<{ n: number }> = {
    sql: 'SELECT count(*) AS n FROM users WHERE id = ?1',
    values: [userId],
  }
  await expect(runBatch(env.DB, [insert, insert])).rejects.toThrow('UNIQUE')
  expect((await run(env.DB, count)).results).toEqual([{ n: 0 }])
  const [, counted] = await runBatch(env.DB, [insert, count])
  expect(counted.results).toEqual([{ n: 1 }])
})

const cause = new Error('D1_ERROR: Network connection lost.')
const busy = (lost: Error) => new VaultError('database_busy', { cause: lost, retryAfter: 1 })

it.for<[name: string, expected: boolean, error: unknown]>([
  ['a lost connection', true, busy(cause)],
  ['too much load', false, busy(new Error('overloaded'))],
  ['an error with another code', false, new VaultError('provider_unreachable', { cause })],
  ['an error without a code', false, new Error('other', { cause })],
  ['a text', false, 'Network connection lost'],
])('another attempt after %s is worth it: %s', ([, expected, error]) => {
  expect(isRetryable(error)).toBe(expected)
})

it.for([
  'D1_ERROR: D1 DB is overloaded. Requests queued for too long.',
  'D1_ERROR: D1 DB is overloaded. Too many requests queued.',
  'D1_ERROR: D1 DB reset because its code was updated.',
  'D1_ERROR: Internal error in D1 DB storage caused object to be reset.',
  'D1_ERROR: Cannot resolve D1 DB due to transient issue on remote node.',
  'D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.',
  'D1_ERROR: D1 DB exceeded its CPU time limit and was reset.',
  'Network connection lost.',
  'D1_ERROR: Error: Network connection lost.',
  'D1_ERROR: Replica disconnected from primary.',
  "D1_ERROR: Can't read from request stream because client disconnected.",
  "D1_ERROR: D1 DB's isolate exceeded its memory limit and was reset.",
  'D1_ERROR: internal error; reference = abc',
  'D1_ERROR: Failed to parse body as JSON, got: error code: 502',
  'D1_ERROR: database is locked: SQLITE_BUSY',
  'Your account is doing too many concurrent storage operations. Please back off.',
])('takes D1 as busy for 1 s after %s', async (message) => {
  expect(await errorOf(failingD1(message))).toMatchObject({
    code: 'database_busy',
    retryAfter: 1,
    cause: { message },
  })
})

it.for(['PUT', 'GET', 'DELETE'])(
  'answers 503 to a %s while D1 is busy, and logs why',
  async (method) => {
    const logs = recordLogs()
    // No wait between two attempts.
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const userId = await someUser()
    const response = await call(method, keyPath(userId), {
      token: await mintToken({ sub: userId }),
      body: method === 'PUT' ? { api_key: 'sk-1' } : undefined,
      env: { DB: failingD1('D1_ERROR: Error: Network connection lost.') },
    })
    expect([response.status, response.headers.get('Retry-After')]).toEqual([503, '1'])
    expect(await response.json()).toMatchObject({ code: 'database_busy' })
    expect(logs.text()).toContain('Network connection lost')
  },
)

it.for<[message: string, retryAfter: number]>([
  ['D1_ERROR: Currently processing a long-running export.', 10],
  ['D1_ERROR: Currently processing a long-running import.', 10],
  ["D1_ERROR: Your account has exceeded D1's free tier daily row read limit.", 3_600],
  ["D1_ERROR: Your account has exceeded D1's free tier daily row write limit.", 3_600],
])('takes D1 as busy for longer after %s', async ([message, retryAfter]) => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1, 23) })
  onTestFinished(() => void vi.useRealTimers())
  expect(await errorOf(failingD1(message))).toMatchObject({ code: 'database_busy', retryAfter })
})

it('gives up after 10 s if D1 never answers', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const asked = Promise.withResolvers<void>()
  const hanging = interceptD1(async () => {
    asked.resolve()
    return new Promise(() => {})
  })
  const answer = errorOf(hanging)
  await asked.promise
  await vi.advanceTimersByTimeAsync(10_000)
  expect(await answer).toMatchObject({
    code: 'database_busy',
    cause: { message: 'There was no answer within 10000 ms' },
  })
})

it('says what to do if a slot has changed', async () => {
  const userId = await someUser()
  const slot = { userId, provider: 'openai', takesDefault: false }
  const changed = run(env.DB, checkSlot(slot, { kind: 'tagged', tags: ['other.1'] }))
  await expect(changed).rejects.toMatchObject({
    code: 'changed_meanwhile',
    detail: 'Another change came in between: read the slot again.',
  })
})

const NO_TABLES = 'The database has no tables: run npm run schema'
const OLDER = 'The database is older than this version: run npm run schema'

it.for<[fault: string, said: string, message: string]>([
  ['lacks the table users', 'no such table: users', NO_TABLES],
  ['lacks the table api_keys', 'no such table: api_keys', NO_TABLES],
  ['lacks the table member_uses', 'no such table: member_uses', NO_TABLES],
  ['lacks the table api_key_events', 'no such table: api_key_events', NO_TABLES],
  ['lacks the table gone_keys', 'no such table: gone_keys', NO_TABLES],
  ['lacks the table heartbeat', 'no such table: heartbeat', NO_TABLES],
  ['lacks the table imported_keys', 'no such table: imported_keys', NO_TABLES],
  ['lacks the table rewrap', 'no such table: rewrap', NO_TABLES],
  ['lacks the table recheck', 'no such table: recheck', NO_TABLES],
  ['lacks a later table', 'no such table: teams', OLDER],
  ['lacks a column', 'no such column: status', OLDER],
  ['lacks a column to write', 'table users has no column named x', OLDER],
  ['is full', 'Exceeded maximum DB size.', 'The database is full'],
])(
  'takes a database that %s as a misconfiguration, and names the fix',
  async ([, said, message]) => {
    expect(await errorOf(failingD1(`D1_ERROR: ${said}`))).toMatchObject({
      code: 'server_misconfigured',
      cause: { message, cause: { message: expect.stringMatching(/^D1_ERROR/) } },
    })
  },
)

it('takes a real database without tables as a misconfiguration', async () => {
  const users: Statement = { sql: 'SELECT id FROM users', values: [] }
  await expect(run(env.EMPTY_DB, users)).rejects.toMatchObject({ cause: { message: NO_TABLES } })
})

it('logs what to run if the database has no tables, and shows nothing of it', async () => {
  const logs = recordLogs()
  const token = await mintToken({ sub: 'user' })
  const response = await call('GET', keyPath('user'), { token, env: { DB: env.EMPTY_DB } })
  expect(await response.json()).toEqual({
    error: 'Internal server error',
    code: 'server_misconfigured',
    request_id: response.headers.get('X-Request-Id'),
  })
  const errors = logs.events().filter(({ level }) => level === 'error')
  expect(errors).toMatchObject([{ error: { message: NO_TABLES } }])
})

it('throws any other error of D1 as it is', async () => {
  expect(await errorOf(failingD1('D1_ERROR: something new'))).toMatchObject({
    name: 'Error',
    message: 'D1_ERROR: something new',
  })
})

const REFUSALS: Refusal[] = ['changed', 'slot_empty', 'slot_filled', 'not_moved', 'too_many_events']

const messageOf = async (sql: string) =>
  env.DB.prepare(sql)
    .all()
    .then(
      () => '',
      (error: unknown) => String(error),
    )

it.for(REFUSALS)(
  'a statement that refuses with %s fails with that refusal alone',
  async (refusal) => {
    const message = await messageOf(`SELECT ${refuse(refusal)}`)
    expect(REFUSALS.filter((other) => isRefusal(message, other))).toEqual([refusal])
  },
)

it('a refusal is not evaluated in a branch that is not taken', async () => {
  expect(await messageOf(`SELECT CASE WHEN FALSE THEN ${refuse('changed')} END`)).toBe('')
})

it.for([
  ["SELECT 'changed' FROM changed"],
  ["SELECT json_extract('{}', 'another')"],
  ['INSERT INTO users (id) VALUES (NULL)'],
])('the error of %s is not a refusal', async ([sql = '']) => {
  const message = await messageOf(sql)
  expect(message).not.toBe('')
  expect(REFUSALS.filter((refusal) => isRefusal(message, refusal))).toEqual([])
})

it('the time of D1 is ISO 8601 in UTC, as a Worker writes it', async () => {
  const now = await env.DB.prepare(`SELECT ${NOW} AS now`).first<string>('now')
  expect(new Date(now ?? '').toISOString()).toBe(now)
  expect(Math.abs(Date.parse(now ?? '') - Date.now())).toBeLessThan(60_000)
})
