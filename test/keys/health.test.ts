/** Whether the vault is healthy, as `GET /api/health` answers. */

import { emptyVault, env } from '../isolate.ts'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { MAX_UNEXPLAINED } from '../../src/store/gone-keys.ts'
import { askForPass } from '../../src/store/rewrap.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { importKeys } from '../../src/import/imported-keys.ts'
import {
  app,
  call,
  interceptD1,
  putKey,
  recordLogs,
  someEncryptionKey,
  someUser,
} from '../support.ts'
import { makeFernet } from '../import/make-fernet.ts'
import { deletionsInPlaces } from './restoration.ts'
import { insertRows, runJob, runPass, someKeys, withKeys } from './sealed-rows.ts'

const health = async (changes: Partial<Env> = {}) => call('GET', '/api/health', { env: changes })

/** A user with an imported key. Returns the Fernet key that opens it, in base64. */
async function importSomeKey(): Promise<string> {
  const key = crypto.getRandomValues(new Uint8Array(32))
  const [iv, text] = [new Uint8Array(16), new TextEncoder().encode('sk-1')]
  const insertKey =
    "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, ?2, 'fernet')"
  const token = await makeFernet(key, iv, 1_700_000_000, text)
  await env.DB.prepare(insertKey)
    .bind(await someUser(), token)
    .run()
  return key.toBase64()
}

beforeEach(emptyVault)

it('answers 200 without a token', async () => {
  const response = await health()
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ status: 'ok' })
})

it('answers 503 if the tables are missing', async () => {
  expect((await health({ DB: env.EMPTY_DB })).status).toBe(503)
})

it('answers 503 if the database lacks a migration of this version, and logs what to run', async () => {
  const logs = recordLogs()
  const applied = 'SELECT name FROM d1_migrations'
  const { results } = await env.DB.prepare(applied).all<{ name: string }>()
  const older = { message: 'The database is older than this version: run npm run schema' }
  await env.DB.prepare('DELETE FROM d1_migrations').run()
  const answer = await health()
  expect(answer.status).toBe(503)
  expect(await answer.json()).toMatchObject({ detail: 'The log says what to set.' })
  await env.DB.prepare('ALTER TABLE d1_migrations RENAME TO other').run()
  expect((await health()).status).toBe(503)
  const errors = logs.events().filter(({ level }) => level === 'error')
  expect(errors).toMatchObject([{ error: older }, { error: older }])
  await env.DB.prepare('ALTER TABLE other RENAME TO d1_migrations').run()
  for (const { name } of results) {
    await env.DB.prepare('INSERT INTO d1_migrations (name) VALUES (?1)').bind(name).run()
  }
  expect((await health()).status).toBe(200)
})

it('answers 503 if the Worker is misconfigured', async () => {
  const response = await health({ API_KEY_ENCRYPTION_KEY: '' })
  expect(response.status).toBe(503)
  expect(response.headers.get('Retry-After')).toBe('5')
  expect(await response.json()).toMatchObject({
    code: 'unhealthy',
    detail: 'The log says what to set.',
  })
})

it('answers 503 if an encryption key of stored keys is missing, and logs which one', async () => {
  const logs = recordLogs()
  const [lost, other] = [someEncryptionKey(), someEncryptionKey()]
  await putKey(await someUser(), 'sk-1', { env: { API_KEY_ENCRYPTION_KEY: lost } })
  const { key_id: lostKeyId } =
    (await env.DB.prepare('SELECT key_id FROM api_keys').first<{ key_id: string }>()) ?? {}

  expect((await health({ API_KEY_ENCRYPTION_KEY: lost })).status).toBe(200)
  expect((await health({ API_KEY_ENCRYPTION_KEY: other })).status).toBe(503)
  expect(logs.events().at(-2)).toMatchObject({
    level: 'error',
    code: 'unhealthy',
    error: { message: expect.stringContaining(`sealed under ${lostKeyId}; add the key`) },
  })
  expect((await health({ API_KEY_ENCRYPTION_KEY: `${other},${lost}` })).status).toBe(200)
})

it('names every encryption key that is missing', async () => {
  const logs = recordLogs()
  const userId = await someUser()
  await insertRows(['lost1', 'lost2'].map((kid) => ({ userId, sealed: 'x', provider: kid, kid })))
  expect((await health()).status).toBe(503)
  expect(logs.text()).toContain('stored keys are sealed under lost1, lost2; add the key')
})

it('answers 503 if LEGACY_FERNET_KEY does not open any imported key', async () => {
  const key = await importSomeKey()
  const logs = recordLogs()
  expect((await health({ LEGACY_FERNET_KEY: someEncryptionKey() })).status).toBe(503)
  expect(logs.text()).toContain('LEGACY_FERNET_KEY does not open any imported key')
  expect((await health({ LEGACY_FERNET_KEY: key })).status).toBe(200)
})

it('answers 200 if LEGACY_FERNET_KEY opens some of the imported keys', async () => {
  const key = await importSomeKey()
  await importSomeKey()
  expect((await health({ LEGACY_FERNET_KEY: key })).status).toBe(200)
})

it('answers 503 if LEGACY_FERNET_KEY is wrong, however many other keys come before the imported one', async () => {
  await someKeys(100, env)
  const key = await importSomeKey()
  const slots = await env.DB.prepare('SELECT count(*) FROM api_keys').first('count(*)')
  expect(slots).toBe(101)
  recordLogs()
  expect((await health({ LEGACY_FERNET_KEY: someEncryptionKey() })).status).toBe(503)
  expect((await health({ LEGACY_FERNET_KEY: key })).status).toBe(200)
})

it('answers 503 if there are Fernet rows but no LEGACY_FERNET_KEY', async () => {
  const key = await importSomeKey()
  const logs = recordLogs()
  expect((await health()).status).toBe(503)
  expect(logs.text()).toContain('stored keys are sealed under fernet; add the key')
  expect((await health({ LEGACY_FERNET_KEY: key })).status).toBe(200)
})

it('answers 503 while more than 1,000 tombstones without a cause are held, and logs what to run', async () => {
  const logs = recordLogs()
  const insert = (cause: string, from: number, count: number) =>
    env.DB.prepare('INSERT INTO gone_keys (cause, identity) SELECT ?1, value FROM json_each(?2)')
      .bind(cause, JSON.stringify(Array.from({ length: count }, (_, index) => from + index)))
      .run()
  await insert('request', 0, MAX_UNEXPLAINED + 1)
  await insert('', 0, MAX_UNEXPLAINED)
  expect((await health()).status).toBe(200)
  await insert('', MAX_UNEXPLAINED, 1)
  expect((await health({ REWRAP_ROWS_PER_RUN: '1' })).status).toBe(503)
  expect(logs.text()).toContain('run npm run keys -- deletions')
})

it('answers 503 while the second store has tombstones outside of its jurisdiction, and logs what to do', async () => {
  const { DELETIONS } = deletionsInPlaces()
  const statusIn = async (place: string) => {
    const vault: Env = Object.assign({ ...env }, { DELETIONS, DELETIONS_JURISDICTION: place })
    return (await app.request('https://vault.test/api/health', {}, vault)).status
  }
  const logs = recordLogs()
  expect(await statusIn('eu')).toBe(200)
  await env.DELETIONS.getByName('deletions').exchange(0, ['old'])
  expect([await statusIn('eu'), await statusIn('')]).toEqual([503, 200])
  expect(logs.text()).toContain('move or delete them as docs/eu.md says')
})

/** What the job has tried with the key that a row needs, and could not open, is nothing to wait for. */
describe('rows that never open', () => {
  const bytesOf = () => crypto.getRandomValues(new Uint8Array(32))
  const [KEY, OTHER] = [bytesOf(), bytesOf()]
  const encryptionKey = someEncryptionKey()
  const vaultOf = (...fernetKeys: Uint8Array<ArrayBuffer>[]) => ({
    ...withKeys(encryptionKey),
    LEGACY_FERNET_KEY: fernetKeys.map((key) => key.toBase64()).join(','),
  })

  const askAgain = async () => run(env.DB, askForPass(new Date().toISOString()))

  /** Stores rows as an import does, each encrypted with a key. */
  async function importRows(keys: Record<string, Uint8Array<ArrayBuffer>>): Promise<void> {
    const text = new TextEncoder().encode('sk-1')
    const rows = Object.entries(keys).map(async ([userId, key]) => {
      const token = await makeFernet(key, new Uint8Array(16), 1_700_000_000, text)
      return { userId, provider: 'default', token, savedAt: '2023-11-14T22:13:20.000Z' }
    })
    await runBatch(env.DB, importKeys(await Promise.all(rows)))
    // Health tries the first ones.
    await env.DB.prepare('UPDATE api_keys SET identity = user_id').run()
  }

  const statusOf = async (vault: Partial<Env>) => (await health(vault)).status
  const SIX = { '000': OTHER, a: KEY, b: KEY, c: KEY, d: KEY, e: KEY }

  it('answers 200 after the job has opened the others, and after another import of the same row', async () => {
    await importRows(SIX)
    await runPass(vaultOf(KEY))
    expect(await statusOf(vaultOf(KEY))).toBe(200)
    await askAgain()
    expect(await statusOf(vaultOf(KEY))).toBe(200)
    await runJob(vaultOf(KEY))
    await runPass(vaultOf(KEY))
    expect(await statusOf(vaultOf(KEY))).toBe(200)
  })

  it('answers 200 if a later import brings one more of them alone', async () => {
    await importRows(SIX)
    await runPass(vaultOf(KEY))
    await importRows({ '001': OTHER })
    await runJob(vaultOf(KEY))
    await runPass(vaultOf(KEY))
    expect(await statusOf(vaultOf(KEY))).toBe(200)
  })

  it('answers 200 during a pass that has opened a row, although the first rows do not open', async () => {
    await importRows({ ...SIX, '001': OTHER, '002': OTHER })
    const vault = { ...vaultOf(KEY), REWRAP_ROWS_PER_RUN: '4' }
    expect(await statusOf(vault)).toBe(503)
    await runJob(vault)
    expect(await statusOf(vault)).toBe(503)
    await runJob(vault)
    expect(await statusOf(vault)).toBe(200)
  })

  it('answers 503 if LEGACY_FERNET_KEY was tried with every row and opens none', async () => {
    await importRows({ a: OTHER, b: OTHER })
    await runPass(vaultOf(KEY))
    expect(await statusOf(vaultOf(KEY))).toBe(503)
    await runPass(vaultOf(OTHER))
    expect(await statusOf(vaultOf(OTHER))).toBe(200)
  })

  it('answers 503 if another LEGACY_FERNET_KEY takes its place and opens none of them', async () => {
    await importRows(SIX)
    await runPass(vaultOf(KEY))
    const wrong = bytesOf()
    await runPass(vaultOf(wrong))
    expect(await statusOf(vaultOf(wrong))).toBe(503)
    await runPass(vaultOf(KEY))
    expect(await statusOf(vaultOf(KEY))).toBe(200)
  })

  it('tries them again with a key that was added, and answers 200 in any case', async () => {
    await importRows({ ...SIX, '001': bytesOf() })
    await runPass(vaultOf(KEY))
    await runPass(vaultOf(KEY, OTHER))
    const left = 'SELECT user_id FROM api_keys WHERE key_id = ?1'
    const { results } = await env.DB.prepare(left).bind('fernet').all()
    expect(results).toEqual([{ user_id: '001' }])
    expect(await statusOf(vaultOf(KEY, OTHER))).toBe(200)
  })

  it('answers 200 after LEGACY_FERNET_KEY was removed, until an import brings a row', async () => {
    await importRows(SIX)
    await runPass(vaultOf(KEY))
    await runPass(vaultOf())
    expect(await statusOf(vaultOf())).toBe(200)
    await askAgain()
    expect(await statusOf(vaultOf())).toBe(200)
    await importRows({ f: KEY })
    expect(await statusOf(vaultOf())).toBe(503)
    await runPass(vaultOf(KEY))
    expect(await statusOf(vaultOf(KEY))).toBe(200)
  })

  it('answers 503 if an import without LEGACY_FERNET_KEY brings as many rows as went', async () => {
    await importRows(SIX)
    await runPass(vaultOf(KEY))
    await runPass(vaultOf())
    await env.DB.prepare("DELETE FROM users WHERE id = '000'").run()
    await importRows({ f: KEY })
    await runJob(vaultOf())
    await runPass(vaultOf())
    expect(await statusOf(vaultOf())).toBe(503)
  })

  it('answers 200 after the key of a damaged row was removed, until a sound row needs that key', async () => {
    const [old, next] = [someEncryptionKey(), someEncryptionKey()]
    const [before, during, after] = [withKeys(old), withKeys(next, old), withKeys(next)]
    await someKeys(1, before)
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'damaged'").run()
    await someKeys(2, before)
    await runPass(during)
    await runPass(after)
    expect(await statusOf(after)).toBe(200)
    await askAgain()
    expect(await statusOf(after)).toBe(200)
    await someKeys(1, before)
    await askAgain()
    expect(await statusOf(after)).toBe(503)
    await runJob(after)
    await runPass(after)
    expect(await statusOf(after)).toBe(503)
  })
})

it('reads as many rows of D1 for many keys as for one', async () => {
  const readRows = async () => {
    let read = 0
    const DB = interceptD1(async (trip) => {
      const results = await trip()
      if (Array.isArray(results)) for (const { meta } of results) read += meta.rows_read
      return results
    })
    expect((await health({ DB })).status).toBe(200)
    return read
  }
  await putKey(await someUser(), 'sk-1')
  const expected = await readRows()
  await env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
       SELECT user_id, value, encrypted_api_key, key_id FROM api_keys, json_each(?1)`,
  )
    .bind(JSON.stringify(Array.from({ length: 40 }, (_, index) => `${index}`)))
    .run()
  expect([expected > 0, await readRows()]).toEqual([true, expected])
})

it('asks D1 once in 5 s, however often it is asked itself', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  onTestFinished(() => void vi.useRealTimers())
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  const vault = { ...env, DB }
  const ask = async () => (await app.request('https://vault.test/api/health', {}, vault)).status
  const startedAt = Date.now()
  const tripsAt: [ms: number, trips: number][] = []
  for (const ms of [0, 4_000, 4_999, 5_000, 9_999, 10_000]) {
    vi.setSystemTime(startedAt + ms)
    expect(await ask()).toBe(200)
    tripsAt.push([ms, trips])
  }
  expect(tripsAt).toEqual([
    [0, 1],
    [4_000, 1],
    [4_999, 1],
    [5_000, 2],
    [9_999, 2],
    [10_000, 3],
  ])
})

describe('requests at the same time', () => {
  /** An isolate in which the first round trips to D1 do what `answers` say. The others are as usual. */
  function someIsolate(...answers: ((trip: () => Promise<unknown>) => Promise<unknown>)[]) {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: Date.now() })
    onTestFinished(() => void vi.useRealTimers())
    const asked = Promise.withResolvers<void>()
    let trips = 0
    const DB = interceptD1(async (trip) => {
      const answer = answers[trips] ?? (async () => trip())
      trips += 1
      asked.resolve()
      return answer(trip)
    })
    const vault = { ...env, DB }
    const statuses: number[] = []
    const request = async () => {
      const { status } = await app.request('https://vault.test/api/health', {}, vault)
      statuses.push(status)
    }
    return {
      ask: (count: number) => void Array.from({ length: count }, request),
      asked: asked.promise,
      trips: () => trips,
      statuses,
      /** Waits for the answers. `waitFor` lets 50 ms pass from one look to the next. */
      answered: async (count: number) =>
        vi.waitFor(() => expect(statuses).toHaveLength(count), { interval: 50 }),
    }
  }

  const never = async () => new Promise(() => {})

  it.for([
    [200, 'works', async (trip: () => Promise<unknown>) => trip()],
    [503, 'fails', async () => Promise.reject(new Error('D1_ERROR: D1 DB is overloaded.'))],
  ] as const)('make one round trip, and all answer %i if D1 %s', async ([status, , answer]) => {
    recordLogs()
    const answering = Promise.withResolvers<void>()
    const { ask, asked, trips, statuses, answered } = someIsolate(async (trip) => {
      await answering.promise
      return answer(trip)
    })
    ask(20)
    await asked
    await vi.advanceTimersByTimeAsync(4_900)
    expect([trips(), statuses]).toEqual([1, []])
    answering.resolve()
    await answered(20)
    expect([trips(), statuses]).toEqual([1, Array.from({ length: 20 }, () => status)])
  })

  it('one of those that wait checks after 5 s if the client of the first one has left', async () => {
    const { ask, asked, trips, statuses, answered } = someIsolate(never)
    ask(1)
    await asked
    // The runtime ends the whole work of that request, its timers too.
    vi.clearAllTimers()
    ask(3)
    await vi.advanceTimersByTimeAsync(4_999)
    expect(trips()).toBe(1)
    await answered(3)
    expect([trips(), statuses]).toEqual([2, [200, 200, 200]])
  })

  it('all that wait check after 6 s if the clients of several others have left', async () => {
    const { ask, asked, trips, statuses, answered } = someIsolate(never, never)
    ask(1)
    await asked
    vi.clearAllTimers()
    ask(3)
    await vi.advanceTimersByTimeAsync(5_999)
    expect(trips()).toBe(2)
    await answered(2)
    expect([trips(), statuses]).toEqual([4, [200, 200]])
  })
})
