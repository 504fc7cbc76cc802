/** Whether the vault is healthy, as `GET /api/health` answers. */

import { emptyVault, env } from '../isolate.ts'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import {
  app,
  call,
  interceptD1,
  putKey,
  recordLogs,
  someEncryptionKey,
  someUser,
} from '../support.ts'
import { makeFernet } from '../crypto/make-fernet.ts'

const health = async (changes: Partial<Env> = {}) => call('GET', '/api/health', { env: changes })

/** A user with an imported key. Returns the Fernet key that opens it, in base64. */
async function importSomeKey(): Promise<string> {
  const key = crypto.getRandomValues(new Uint8Array(32))
  const [iv, text] = [new Uint8Array(16), new TextEncoder().encode('sk-1')]
  const insertKey =
    "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, ?2, 'fernet')"
  await env.DB.batch([
    env.DB.prepare("INSERT INTO key_ids (key_id) VALUES ('fernet') ON CONFLICT DO NOTHING"),
    env.DB.prepare(insertKey).bind(
      await someUser(),
      await makeFernet(key, iv, 1_700_000_000, text),
    ),
  ])
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
  await env.DB.prepare("INSERT INTO key_ids (key_id) VALUES ('lost1'), ('lost2')").run()
  expect((await health()).status).toBe(503)
  expect(logs.text()).toContain('stored keys are sealed under lost1, lost2; add the key')
})

it('answers 503 if LEGACY_FERNET_KEY opens no imported key', async () => {
  const key = await importSomeKey()
  const logs = recordLogs()
  expect((await health({ LEGACY_FERNET_KEY: someEncryptionKey() })).status).toBe(503)
  expect(logs.text()).toContain('LEGACY_FERNET_KEY opens no imported key')
  expect((await health({ LEGACY_FERNET_KEY: key })).status).toBe(200)
})

it('answers 200 if LEGACY_FERNET_KEY opens some of the imported keys', async () => {
  const key = await importSomeKey()
  await importSomeKey()
  expect((await health({ LEGACY_FERNET_KEY: key })).status).toBe(200)
})

it('answers 503 if there are Fernet rows but no LEGACY_FERNET_KEY', async () => {
  await env.DB.prepare("INSERT INTO key_ids (key_id) VALUES ('fernet')").run()
  expect((await health()).status).toBe(503)
  expect((await health({ LEGACY_FERNET_KEY: someEncryptionKey() })).status).toBe(200)
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
