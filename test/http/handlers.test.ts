/** The routes of the default slot, with their answers. */

import { describe, expect, it } from 'vitest'
import { env } from '../isolate.ts'
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

const ISO_UTC: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

/** A user, and requests to the plain route with the user's token. */
async function someOwner(userId?: string) {
  const own = userId ?? (await someUser())
  const token = await mintToken({ sub: own })
  const send = async (method: string, vault: Partial<Env> = {}, apiKey?: string) => {
    const body = apiKey === undefined ? undefined : { api_key: apiKey }
    return call(method, keyPath(own), { token, body, env: vault })
  }
  return { userId: own, token, send }
}

describe('a key', () => {
  it('answers with the documented bodies as a key is saved, read and deleted', async () => {
    const { userId, send } = await someOwner()
    expect(await (await send('GET')).json()).toEqual({ has_api_key: false })

    const etag = expect.stringMatching(/^"[\da-f]{32}\.1"$/)
    const shown = { api_key_preview: 'sk-live-...', api_key_updated_at: ISO_UTC, etag }
    const put = await send('PUT', {}, 'sk-live-1234567890')
    expect([put.status, put.headers.get('Content-Type')]).toEqual([200, 'application/json'])
    expect(await put.json()).toEqual({
      message: 'API key updated successfully',
      user_id: userId,
      user: { id: userId, has_api_key: true, ...shown },
    })
    const get = await send('GET')
    expect([get.status, await get.json()]).toEqual([200, { has_api_key: true, ...shown }])

    const deleted = {
      message: 'API key deleted successfully',
      user_id: userId,
      user: { id: userId, has_api_key: false, api_key_preview: null, api_key_updated_at: null },
    }
    expect(await (await send('DELETE')).json()).toEqual(deleted)
    expect(await (await send('GET')).json()).toEqual({ has_api_key: false })
    expect(await (await send('DELETE')).json()).toEqual(deleted)
  })

  it('answers HEAD like GET, without the body', async () => {
    const { userId, send } = await someOwner()
    const head = await send('HEAD')
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect((await call('HEAD', keyPath(userId))).status).toBe(401)
  })

  it('replaces the key by another one, and resets status and last use', async () => {
    const userId = await someUser()
    await putKey(userId, someKey())
    const sql = `UPDATE api_keys SET status = 'active', last_used_at = 'then',
      last_verified_at = 'then', identity = 'first', updated_at = 'first' WHERE user_id = ?1`
    await env.DB.prepare(sql).bind(userId).run()
    const apiKey = someKey()
    expect((await putKey(userId, apiKey)).status).toBe(200)
    expect(await storedKey(userId)).toBe(apiKey)
    const row = env.DB.prepare('SELECT * FROM api_keys WHERE user_id = ?1').bind(userId)
    const unknown = { status: 'unverified', last_used_at: null, last_verified_at: null }
    expect(await row.first()).toMatchObject({
      identity: expect.stringMatching(/^[\da-f]{32}$/),
      revision: 2,
      ...unknown,
      updated_at: ISO_UTC,
    })
  })

  it('changes no other user’s key and no other slot', async () => {
    const other = await someUser()
    const { userId, send } = await someOwner()
    const kept = someKey()
    await putKey(other, kept)
    await putKey(userId, someKey())
    const move = "UPDATE api_keys SET provider = 'openai' WHERE user_id = ?1"
    await env.DB.prepare(move).bind(userId).run()
    const slots = env.DB.prepare('SELECT provider FROM api_keys WHERE user_id = ?1').bind(userId)

    expect(await (await send('GET')).json()).toEqual({ has_api_key: false })
    await putKey(userId, someKey())
    expect((await slots.all()).results).toEqual([{ provider: 'default' }, { provider: 'openai' }])
    await send('DELETE')
    expect((await slots.all()).results).toEqual([{ provider: 'openai' }])
    expect(await storedKey(other)).toBe(kept)
  })

  it.for<[length: number, preview: string]>([
    [1, '****'],
    [7, '****'],
    [8, '****'],
    [9, 'kkkkkkkk...'],
    [8_191, 'kkkkkkkk...'],
    [8_192, 'kkkkkkkk...'],
  ])('stores a key of %i characters, and previews it as %s', async ([length, preview]) => {
    const userId = await someUser()
    const response = await putKey(userId, 'k'.repeat(length))
    expect(await response.json()).toMatchObject({ user: { api_key_preview: preview } })
    expect(await storedKey(userId)).toBe('k'.repeat(length))
  })

  it('seals with the first encryption key, and opens with each of them', async () => {
    const { userId, send } = await someOwner()
    const newer = someEncryptionKey()
    const rotated = { API_KEY_ENCRYPTION_KEY: `${newer},${env.API_KEY_ENCRYPTION_KEY}` }
    const preview = async (vault: Partial<Env>) =>
      Reflect.get(Object(await (await send('GET', vault)).json()), 'api_key_preview')
    await putKey(userId, 'sk-older-key')
    expect(await preview(rotated)).toBe('sk-older...')
    await putKey(userId, 'sk-newer-key', { env: rotated })
    expect(await preview(rotated)).toBe('sk-newer...')
    expect(await preview({ API_KEY_ENCRYPTION_KEY: newer })).toBe('sk-newer...')
  })
})

describe('a key that does not open', () => {
  it('reports a stored key that does not open, and can still replace and delete it', async () => {
    const { userId, send } = await someOwner()
    const spoil = env.DB.prepare(
      "UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'AAAA' WHERE user_id = ?1",
    ).bind(userId)
    await putKey(userId, someKey())
    await spoil.run()
    const get = await send('GET')
    expect([get.status, await get.json()]).toEqual([
      200,
      { has_api_key: false, error: 'Invalid encrypted key', etag: get.headers.get('ETag') },
    ])
    const apiKey = someKey()
    await putKey(userId, apiKey)
    expect(await storedKey(userId)).toBe(apiKey)
    await spoil.run()
    expect((await send('DELETE')).status).toBe(200)
    expect(await storedKey(userId)).toBeNull()
  })

  it('logs a key that does not open as an error, with its user and its kid', async () => {
    const logs = recordLogs()
    const { userId, send } = await someOwner()
    await putKey(userId, someKey())
    const move = "UPDATE api_keys SET key_id = 'fedcba987654' WHERE user_id = ?1"
    await env.DB.prepare(move).bind(userId).run()
    const request_id = (await send('GET')).headers.get('X-Request-Id')
    expect(logs.events()).toContainEqual({
      level: 'error',
      event: 'api_key_unreadable',
      request_id,
      user_id: userId,
      provider: 'default',
      key_id: 'fedcba987654',
      reason: 'key_id_not_in_keyring',
    })
  })
})

it('shows a key in the clear in no response, no log line and no cell of D1', async () => {
  const logs = recordLogs()
  const sentinel = `sk-sentinel-${crypto.randomUUID()}`
  const { userId, token } = await someOwner()
  const path = keyPath(userId)
  const DB = interceptD1(async () => Promise.reject(new Error('D1_ERROR: it broke')))
  const responses = [
    await putKey(userId, sentinel),
    await call('GET', path, { token }),
    await putKey(userId, `${sentinel} inside`),
    await putKey(userId, sentinel, { headers: { 'Content-Type': `text/${sentinel}` } }),
    await call('PUT', path, { token, body: `{"api_key": ${sentinel}}` }),
    await call('PUT', path, { token, body: { [sentinel]: sentinel } }),
    await putKey(userId, sentinel, { env: { DB } }),
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

describe('a user', () => {
  it.for(['PUT', 'GET', 'DELETE'])('answers 404 to a %s of an unknown user', async (method) => {
    const { send } = await someOwner(`absent-${crypto.randomUUID()}`)
    const response = await send(method, {}, method === 'PUT' ? 'sk-1' : undefined)
    expect([response.status, await response.json()]).toMatchObject([
      404,
      {
        error: 'User not found',
        code: 'user_not_found',
        detail: 'The token is valid, but its user is not in the vault: add the user first.',
      },
    ])
  })

  const auto = { AUTO_CREATE_USERS: 'true' }
  const isStored = async (userId: string) =>
    (await env.DB.prepare('SELECT id FROM users WHERE id = ?1').bind(userId).first()) !== null

  it('adds a user at the first PUT with AUTO_CREATE_USERS, and answers before it', async () => {
    const { userId, send } = await someOwner(`new-${crypto.randomUUID()}`)
    expect(await (await send('GET', auto)).json()).toEqual({ has_api_key: false })
    expect((await send('DELETE', auto)).status).toBe(200)
    expect(await isStored(userId)).toBe(false)

    expect((await send('PUT', auto, 'sk-first')).status).toBe(200)
    expect((await send('PUT', auto, 'sk-second')).status).toBe(200)
    expect(await isStored(userId)).toBe(true)
    expect(await storedKey(userId)).toBe('sk-second')
  })

  it('adds nobody for an invalid token or a refused body, even with AUTO_CREATE_USERS', async () => {
    const userId = `new-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId }, 'another secret of at least thirty-two bytes')
    expect((await putKey(userId, 'sk-1', { token, env: auto })).status).toBe(401)
    expect((await putKey(userId, '', { env: auto })).status).toBe(400)
    expect(await isStored(userId)).toBe(false)
  })

  it('adds one user for concurrent PUTs with AUTO_CREATE_USERS', async () => {
    const userId = `new-${crypto.randomUUID()}`
    const keys = Array.from({ length: 5 }, someKey)
    const puts = await Promise.all(keys.map(async (key) => putKey(userId, key, { env: auto })))
    expect(puts.map(({ status }) => status)).toEqual(keys.map(() => 200))
    expect(keys).toContain(await storedKey(userId))
  })

  it('leaves the result of one possible order of concurrent requests', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { userId, send } = await someOwner()
      const [one, other] = [someKey(), someKey()]
      const requests = [send('PUT', {}, one), send('DELETE'), send('PUT', {}, other)]
      const statuses = (await Promise.all(requests)).map(({ status }) => status)
      expect(statuses).toEqual([200, 200, 200])
      expect([one, other, null]).toContain(await storedKey(userId))
    }
  })

  it('deletes the keys of a user with the user', async () => {
    const userId = await someUser()
    await putKey(userId, someKey())
    await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
    expect(await storedKey(userId)).toBeNull()
  })

  it('notes a deletion only while imported rows are expected', async () => {
    const { userId, send } = await someOwner()
    const sql = 'SELECT saved_at FROM imported_keys WHERE user_id = ?1'
    const noted = async () => env.DB.prepare(sql).bind(userId).first()
    await send('DELETE')
    expect(await noted()).toBeNull()
    await send('DELETE', { LEGACY_FERNET_KEY: someEncryptionKey() })
    expect(await noted()).toEqual({ saved_at: ISO_UTC })
  })
})
