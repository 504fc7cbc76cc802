import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { call, keyPath, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'

const ISO_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

describe('saving, previewing and deleting', () => {
  it('answers with the documented bodies at each step', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const path = keyPath(userId)

    expect(await (await call('GET', path, { token })).json()).toEqual({ has_api_key: false })

    const put = await call('PUT', path, { token, body: { api_key: 'sk-live-1234567890' } })
    expect(put.status).toBe(200)
    expect(put.headers.get('Content-Type')).toBe('application/json')
    expect(await put.json()).toEqual({
      message: 'API key updated successfully',
      user_id: userId,
      user: {
        id: userId,
        has_api_key: true,
        api_key_preview: 'sk-live-...',
        api_key_updated_at: expect.stringMatching(ISO_UTC),
      },
    })

    const get = await call('GET', path, { token })
    expect(get.status).toBe(200)
    expect(await get.json()).toEqual({
      has_api_key: true,
      api_key_preview: 'sk-live-...',
      api_key_updated_at: expect.stringMatching(ISO_UTC),
    })

    const deleted = {
      message: 'API key deleted successfully',
      user_id: userId,
      user: { id: userId, has_api_key: false, api_key_preview: null, api_key_updated_at: null },
    }
    expect(await (await call('DELETE', path, { token })).json()).toEqual(deleted)
    expect(await (await call('GET', path, { token })).json()).toEqual({ has_api_key: false })
    expect(await (await call('DELETE', path, { token })).json()).toEqual(deleted)
  })

  it('replaces the key, keeps created_at, and resets status and last use', async () => {
    const userId = await someUser()
    await putKey(userId, someKey())
    await env.DB.prepare(
      `UPDATE api_keys SET status = 'active', last_used_at = 'then', last_verified_at = 'then', created_at = 'first',
       updated_at = 'first' WHERE user_id = ?1`,
    )
      .bind(userId)
      .run()
    const apiKey = someKey()
    expect((await putKey(userId, apiKey)).status).toBe(200)
    expect(await storedKey(userId)).toBe(apiKey)
    const row = await env.DB.prepare('SELECT * FROM api_keys WHERE user_id = ?1')
      .bind(userId)
      .first()
    const unknown = { status: 'unverified', last_used_at: null, last_verified_at: null }
    expect(row).toMatchObject({ created_at: 'first', ...unknown })
    expect(row?.['updated_at']).toMatch(ISO_UTC)
  })

  it('changes no other user’s key and no other slot', async () => {
    const [userId, other] = [await someUser(), await someUser()]
    const kept = someKey()
    await putKey(other, kept)
    await putKey(userId, someKey())
    await env.DB.prepare("UPDATE api_keys SET provider = 'openai' WHERE user_id = ?1")
      .bind(userId)
      .run()
    const token = await mintToken({ sub: userId })
    const slots = env.DB.prepare('SELECT provider FROM api_keys WHERE user_id = ?1').bind(userId)

    expect(await (await call('GET', keyPath(userId), { token })).json()).toEqual({
      has_api_key: false,
    })
    await putKey(userId, someKey())
    expect((await slots.all()).results).toEqual([{ provider: 'default' }, { provider: 'openai' }])
    await call('DELETE', keyPath(userId), { token })
    expect((await slots.all()).results).toEqual([{ provider: 'openai' }])
    expect(await storedKey(other)).toBe(kept)
  })

  it('seals with the first encryption key, and opens with each of them', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const newer = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
    const rotated = { API_KEY_ENCRYPTION_KEY: `${newer},${env.API_KEY_ENCRYPTION_KEY}` }
    const preview = async (changes: Partial<Env>) => {
      const response = await call('GET', keyPath(userId), { token, env: changes })
      return Reflect.get(Object(await response.json()), 'api_key_preview')
    }
    await putKey(userId, 'sk-older-key')
    expect(await preview(rotated)).toBe('sk-older...')
    await putKey(userId, 'sk-newer-key', { env: rotated })
    expect(await preview(rotated)).toBe('sk-newer...')
    expect(await preview({ API_KEY_ENCRYPTION_KEY: newer })).toBe('sk-newer...')
  })

  it('answers HEAD like GET, without the body', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const head = await call('HEAD', keyPath(userId), { token })
    expect(head.status).toBe(200)
    expect(await head.text()).toBe('')
    expect((await call('HEAD', keyPath(userId))).status).toBe(401)
  })

  it.for([
    ['1', '****'],
    ['1234567', '****'],
    ['12345678', '****'],
    ['123456789', '12345678...'],
    ['k'.repeat(8_191), 'kkkkkkkk...'],
    ['k'.repeat(8_192), 'kkkkkkkk...'],
  ] as const)('previews by length: %#', async ([apiKey, preview]) => {
    const userId = await someUser()
    const response = await putKey(userId, apiKey)
    expect(await response.json()).toMatchObject({ user: { api_key_preview: preview } })
    expect(await storedKey(userId)).toBe(apiKey)
  })

  it('trims white space around the key and changes nothing else', async () => {
    const userId = await someUser()
    await putKey(userId, '\uFEFF \t\r\n\u00A0sk-!"#$%&\'()+,/:;<=>?@[\\]^_`{|}~ \n')
    expect(await storedKey(userId)).toBe('sk-!"#$%&\'()+,/:;<=>?@[\\]^_`{|}~')
  })

  it('reports a stored key that does not open, and can still replace and delete it', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const spoil = env.DB.prepare(
      "UPDATE api_keys SET encrypted_api_key = encrypted_api_key || 'AAAA' WHERE user_id = ?1",
    ).bind(userId)

    await putKey(userId, someKey())
    await spoil.run()
    const get = await call('GET', keyPath(userId), { token })
    expect(get.status).toBe(200)
    expect(await get.json()).toEqual({ has_api_key: false, error: 'Invalid encrypted key' })

    const apiKey = someKey()
    await putKey(userId, apiKey)
    expect(await storedKey(userId)).toBe(apiKey)

    await spoil.run()
    expect((await call('DELETE', keyPath(userId), { token })).status).toBe(200)
    expect(await storedKey(userId)).toBeNull()
  })
})

describe('the order of refusals', () => {
  it('is 401, 403, 429, 400 or 413, 404', async () => {
    const owner = await someUser()
    const absent = `absent-${crypto.randomUUID()}`
    const token = await mintToken({ sub: absent })
    const put = async (userId: string, body: string, options: object = {}) =>
      (await call('PUT', keyPath(userId), { body, ...options })).status

    const tight = { RATE_LIMITER: env.TIGHT_RATE_LIMITER }
    const limitedToken = await mintToken({ sub: owner })
    const limited = { token: limitedToken, env: tight }
    expect(await put(owner, 'not json')).toBe(401)
    expect(await put(owner, 'not json', { token })).toBe(403)
    expect(await put(owner, 'not json', limited)).toBe(400)
    expect(await put(owner, 'not json', limited)).toBe(400)
    expect(await put(owner, 'not json', limited)).toBe(429)
    expect(await put(absent, 'not json', { token })).toBe(400)
    expect(await put(absent, 'x'.repeat(20_000), { token })).toBe(413)
    expect(await put(absent, '{"api_key":"sk-1"}', { token })).toBe(404)
  })

  it('answers the same 403 whether or not the user exists, and names what was tried', async () => {
    const someone = await someUser()
    const token = await mintToken({ sub: await someUser() })
    for (const userId of [someone, 'nobody-at-all']) {
      for (const [method, verb] of [
        ['PUT', 'update'],
        ['GET', 'access'],
        ['DELETE', 'delete'],
      ] as const) {
        const response = await call(method, keyPath(userId), { token })
        expect(response.status).toBe(403)
        expect(await response.json()).toEqual({
          error: `Unauthorized to ${verb} this user's API key`,
          code: 'not_your_own',
          request_id: response.headers.get('X-Request-Id'),
        })
      }
    }
  })

  it.for(['PUT', 'GET', 'DELETE'])(
    'answers 404 to a %s for a user without a row',
    async (method) => {
      const userId = `absent-${crypto.randomUUID()}`
      const token = await mintToken({ sub: userId })
      const body = method === 'PUT' ? { api_key: 'sk-1' } : undefined
      const response = await call(method, keyPath(userId), { token, body })
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({
        error: 'User not found',
        code: 'user_not_found',
        detail: 'The token is valid, but its user has not been added yet, or was removed.',
      })
    },
  )

  it('limits each user separately, and says when to try again', async () => {
    const limiter = { RATE_LIMITER: env.TIGHT_RATE_LIMITER }
    const [one, other] = [await someUser(), await someUser()]
    const get = async (sub: string) =>
      call('GET', keyPath(sub), { token: await mintToken({ sub }), env: limiter })
    await get(one)
    await get(one)
    const limited = await get(one)
    expect(limited.status).toBe(429)
    expect(limited.headers.get('Retry-After')).toBe('60')
    expect(await limited.json()).toMatchObject({ code: 'rate_limited' })
    expect((await get(other)).status).toBe(200)
  })
})

describe('AUTO_CREATE_USERS', () => {
  const auto = { AUTO_CREATE_USERS: 'true' }

  it('adds the user at the first PUT, and answers requests before it', async () => {
    const userId = `new-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId })
    const get = await call('GET', keyPath(userId), { token, env: auto })
    expect(await get.json()).toEqual({ has_api_key: false })
    expect((await call('DELETE', keyPath(userId), { token, env: auto })).status).toBe(200)
    const users = env.DB.prepare('SELECT id FROM users WHERE id = ?1').bind(userId)
    expect(await users.first()).toBeNull()

    expect((await putKey(userId, 'sk-first', { env: auto })).status).toBe(200)
    expect((await putKey(userId, 'sk-second', { env: auto })).status).toBe(200)
    expect(await users.first()).toEqual({ id: userId })
    expect(await storedKey(userId)).toBe('sk-second')
  })

  it('adds nobody for an invalid token or a refused body', async () => {
    const userId = `new-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId }, 'another secret of at least thirty-two bytes')
    expect((await putKey(userId, 'sk-1', { token, env: auto })).status).toBe(401)
    expect((await putKey(userId, '', { env: auto })).status).toBe(400)
    const users = env.DB.prepare('SELECT id FROM users WHERE id = ?1').bind(userId)
    expect(await users.first()).toBeNull()
  })
})

describe('other paths and methods', () => {
  it.for(['POST', 'PATCH', 'PROPFIND'])('answers 405 with Allow to %s', async (method) => {
    const response = await call(method, keyPath('anyone'))
    expect(response.status).toBe(405)
    const allowed = response.headers.get('Allow')?.split(', ') ?? []
    expect(new Set(allowed)).toEqual(new Set(['GET', 'HEAD', 'PUT', 'DELETE']))
    expect(await response.json()).toMatchObject({ code: 'method_not_allowed' })
  })

  it.for([
    '/index',
    '/api',
    '/api/users',
    '/api/users/u',
    '/api/users/u/api-key/',
    '/api/users//api-key',
    '/api/users/u/v/api-key',
    '/API/users/u/api-key',
    '/api/users/../api-key',
    '/api/users/%2e%2e/api-key',
  ])('answers 404 to %s', async (path) => {
    const response = await call('GET', path)
    expect(response.status).toBe(404)
    expect(await response.json()).toEqual({
      error: 'Not found',
      code: 'not_found',
      request_id: response.headers.get('X-Request-Id'),
    })
  })
})
