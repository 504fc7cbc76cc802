import { env } from '../isolate.ts'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { isRetryable } from '../../src/store/d1.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  putKey,
  recordLogs,
  someEncryptionKey,
  someKey,
  someUser,
  storedKey,
} from '../support.ts'

/** The real D1 that counts every round trip. */
function countingD1(): { db: D1Database; trips: () => number } {
  let trips = 0
  const db = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  return { db, trips: () => trips }
}

/** A D1 that answers every statement with this error message. */
/** Fails as D1 does: its cause has the same words. */
function failingD1(message: string): D1Database {
  const cause = new Error(message.replace('D1_ERROR: ', ''))
  const fail = async () => Promise.reject(new Error(message, { cause }))
  const statement = { bind: () => statement, first: fail, run: fail, all: fail, raw: fail }
  return Object.assign(Object.create(env.DB), { prepare: () => statement, batch: fail })
}

describe('round trips to D1', () => {
  it.for([
    ['PUT', 200, 1],
    ['GET', 200, 1],
    ['DELETE', 200, 1],
  ] as const)('%s makes one', async ([method, status, expected]) => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const body = method === 'PUT' ? { api_key: someKey() } : undefined
    for (const AUTO_CREATE_USERS of ['false', 'true']) {
      const { db, trips } = countingD1()
      const response = await call(method, keyPath(userId), {
        token,
        body,
        env: { DB: db, AUTO_CREATE_USERS },
      })
      expect(response.status).toBe(status)
      expect(trips()).toBe(expected)
    }
  })

  it('a request that is refused earlier makes none', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const { db, trips } = countingD1()
    const refusals = [
      call('GET', keyPath(userId), { env: { DB: db } }),
      call('GET', keyPath('another'), { token, env: { DB: db } }),
      call('PUT', keyPath(userId), { token, env: { DB: db }, body: { api_key: '' } }),
      call('POST', keyPath(userId), { token, env: { DB: db } }),
    ]
    const statuses = (await Promise.all(refusals)).map((response) => response.status)
    expect(statuses).toEqual([401, 403, 400, 405])
    expect(trips()).toBe(0)
  })
})

describe('concurrent requests', () => {
  it('leave the result of one of their possible orders', async () => {
    for (let round = 0; round < 20; round += 1) {
      const userId = await someUser()
      const token = await mintToken({ sub: userId })
      const [one, other] = [someKey(), someKey()]
      const responses = await Promise.all([
        putKey(userId, one),
        call('DELETE', keyPath(userId), { token }),
        putKey(userId, other),
      ])
      expect(responses.map(({ status }) => status)).toEqual([200, 200, 200])
      expect([one, other, null]).toContain(await storedKey(userId))
    }
  })

  it('add one user with AUTO_CREATE_USERS', async () => {
    const userId = `new-${crypto.randomUUID()}`
    const keys = Array.from({ length: 10 }, someKey)
    const auto = { env: { AUTO_CREATE_USERS: 'true' } }
    const puts = await Promise.all(keys.map(async (apiKey) => putKey(userId, apiKey, auto)))
    expect(puts.map(({ status }) => status)).toEqual(keys.map(() => 200))
    expect(keys).toContain(await storedKey(userId))
  })
})

describe('an error', () => {
  const cause = new Error('D1_ERROR: Network connection lost.')

  it.for<[name: string, error: unknown, expected: boolean]>([
    ['of a busy D1 is', new VaultError('database_busy', { cause }), true],
    ['with another code is not', new VaultError('provider_unreachable', { cause }), false],
    ['that the vault has not named is not', new Error('other', { cause }), false],
    ['that is not an error is not', 'Network connection lost', false],
  ])('%s worth another attempt', ([, error, expected]) => {
    expect(isRetryable(error)).toBe(expected)
  })
})

describe('D1', () => {
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
  ])('answers 503 if D1 is busy: %s', async (message) => {
    const logs = recordLogs()
    // No wait between two attempts.
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    for (const [method, body] of [
      ['PUT', { api_key: 'sk-1' }],
      ['GET', undefined],
      ['DELETE', undefined],
    ] as const) {
      const response = await call(method, keyPath(userId), {
        token,
        body,
        env: { DB: failingD1(message) },
      })
      expect(response.status).toBe(503)
      expect(response.headers.get('Retry-After')).toBe('1')
      expect(await response.json()).toMatchObject({ code: 'database_busy' })
    }
    expect(logs.text()).toContain(message)
  })

  it.for([
    ['D1_ERROR: Currently processing a long-running export.', '10'],
    ['D1_ERROR: Currently processing a long-running import.', '10'],
    ["D1_ERROR: Your account has exceeded D1's free tier daily row read limit.", '3600'],
    ["D1_ERROR: Your account has exceeded D1's free tier daily row write limit.", '3600'],
  ] as const)('answers 503 with a longer Retry-After: %s', async ([message, seconds]) => {
    recordLogs()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1, 23) })
    onTestFinished(() => void vi.useRealTimers())
    const token = await mintToken({ sub: 'user' })
    const response = await call('GET', keyPath('user'), { token, env: { DB: failingD1(message) } })
    expect(response.status).toBe(503)
    expect(response.headers.get('Retry-After')).toBe(seconds)
  })

  it('logs that the database is full, as a misconfiguration', async () => {
    const logs = recordLogs()
    const token = await mintToken({ sub: 'user' })
    const DB = failingD1('D1_ERROR: Exceeded maximum DB size.')
    const response = await call('GET', keyPath('user'), { token, env: { DB } })
    expect(await response.json()).toMatchObject({ code: 'server_misconfigured' })
    const errors = logs.events().filter(({ level }) => level === 'error')
    expect(errors).toMatchObject([
      { error: { message: expect.stringContaining('The database is full') } },
    ])
    expect(logs.text()).toContain('Exceeded maximum DB size')
  })

  it('says what to do if a slot has changed', async () => {
    const userId = await someUser()
    await putKey(userId, someKey())
    const token = await mintToken({ sub: userId })
    const options = { token, headers: { 'If-None-Match': '*' }, body: { api_key: someKey() } }
    expect(await (await call('PUT', keyPath(userId), options)).json()).toMatchObject({
      code: 'changed_meanwhile',
      detail: 'Another change came in between: read the slot again.',
    })
  })

  it('gives up if D1 never answers', async () => {
    const logs = recordLogs()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const asked = Promise.withResolvers<void>()
    const DB = interceptD1(async () => {
      asked.resolve()
      return new Promise(() => {})
    })
    const token = await mintToken({ sub: 'user' })
    const answer = call('GET', keyPath('user'), { token, env: { DB } })
    await asked.promise
    await vi.advanceTimersByTimeAsync(10_000)
    const response = await answer
    expect(await response.json()).toMatchObject({ code: 'database_busy' })
    expect(logs.text()).toContain('There was no answer within 10000 ms')
  })

  const NO_TABLES = 'The database has no tables: run npm run schema'
  const OLDER = 'The database is older than this version: run npm run schema'
  const failing = (message: string) => failingD1(`D1_ERROR: ${message}`)

  it.for<[fault: string, DB: D1Database, message: string]>([
    ['all tables', env.EMPTY_DB, NO_TABLES],
    ...['users', 'api_keys', 'key_ids', 'rewrap', 'imported_users'].map(
      (name): [string, D1Database, string] => [name, failing(`no such table: ${name}`), NO_TABLES],
    ),
    ['a later table', failing('no such table: known_keys'), OLDER],
    ['a column', failing('no such column: status'), OLDER],
  ])('logs what to run if D1 lacks %s', async ([, DB, message]) => {
    const logs = recordLogs()
    const response = await putKey(await someUser(), 'sk-1', { env: { DB } })
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ code: 'server_misconfigured' })
    const errors = logs.events().filter(({ level }) => level === 'error')
    expect(errors).toMatchObject([{ error: { message } }])
  })

  it('answers 500 without a detail if D1 fails otherwise, and logs the error', async () => {
    const logs = recordLogs()
    const response = await putKey(await someUser(), 'sk-1', {
      env: { DB: failingD1('D1_ERROR: something new') },
    })
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      error: 'Internal server error',
      code: 'internal',
      request_id: response.headers.get('X-Request-Id'),
    })
    const error = logs.events().find(({ level }) => level === 'error')
    expect(error).toMatchObject({
      code: 'internal',
      request_id: response.headers.get('X-Request-Id'),
      error: { message: 'D1_ERROR: something new', stack: expect.any(String) },
    })
  })

  it('notes a deletion only while users move in from the previous backend', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const told = async () =>
      env.DB.prepare('SELECT saved_at FROM imported_keys WHERE user_id = ?1').bind(userId).first()
    await call('DELETE', keyPath(userId), { token })
    expect(await told()).toBeNull()
    const LEGACY_FERNET_KEY = someEncryptionKey()
    await call('DELETE', keyPath(userId), { token, env: { LEGACY_FERNET_KEY } })
    expect(await told()).toEqual({ saved_at: expect.stringMatching(/^20\d\d-.*Z$/) })
  })

  it('deletes a user’s keys with the user', async () => {
    const userId = await someUser()
    await putKey(userId, someKey())
    await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
    expect(await storedKey(userId)).toBeNull()
  })
})

describe('a key', () => {
  it('never appears in the clear in a response, a log line or a cell of D1', async () => {
    const logs = recordLogs()
    const [sentinel, userId] = [`sk-sentinel-${crypto.randomUUID()}`, await someUser()]
    const token = await mintToken({ sub: userId })
    const path = keyPath(userId)
    const responses = [
      await putKey(userId, sentinel),
      await call('GET', path, { token }),
      await putKey(userId, `${sentinel} inside`),
      await putKey(userId, sentinel, { headers: { 'Content-Type': `text/${sentinel}` } }),
      await call('PUT', path, { token, body: `{"api_key": ${sentinel}}` }),
      await call('PUT', path, { token, body: { [sentinel]: sentinel } }),
      await putKey(userId, sentinel, { env: { DB: failingD1('D1_ERROR: it broke') } }),
      await putKey(userId, sentinel, { env: { API_KEY_ENCRYPTION_KEY: sentinel } }),
      await putKey(userId, sentinel, { token: sentinel }),
      await call('PUT', `${path}?key=${sentinel}`, { token, body: { api_key: sentinel } }),
    ]
    expect(responses.map(({ status }) => status)).toEqual([
      200, 200, 400, 400, 400, 400, 500, 500, 401, 200,
    ])
    const headers = responses.map((response) => JSON.stringify([...response.headers]))
    const bodies = await Promise.all(responses.map(async (response) => response.text()))
    const { results } = await env.DB.prepare('SELECT * FROM api_keys, users').all()
    const shown = [...headers, ...bodies, logs.text(), JSON.stringify(results)]
    const secret = sentinel.slice(8)
    expect(bodies[0]).toContain('sk-senti...')
    expect(shown.filter((text) => text.includes(secret))).toEqual([])
    expect(shown.filter((text) => text.includes(btoa(secret).slice(0, 20)))).toEqual([])
    expect(logs.text().includes(token)).toBe(false)
    expect(logs.events().filter(({ level }) => level === 'error')).toHaveLength(2)
    expect(await storedKey(userId)).toBe(sentinel)
  })

  it('is logged as an error with its user and its kid if it does not open', async () => {
    const logs = recordLogs()
    const userId = await someUser()
    await putKey(userId, someKey())
    await env.DB.prepare("UPDATE api_keys SET key_id = 'fedcba987654' WHERE user_id = ?1")
      .bind(userId)
      .run()
    await call('GET', keyPath(userId), {
      token: await mintToken({ sub: userId }),
      headers: { 'X-Request-Id': 'unreadable' },
    })
    expect(logs.events()).toContainEqual({
      level: 'error',
      event: 'api_key_unreadable',
      request_id: 'unreadable',
      user_id: userId,
      provider: 'default',
      key_id: 'fedcba987654',
      reason: 'key_id_not_in_keyring',
    })
  })
})
