import { exports } from 'cloudflare:workers'
import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import {
  call,
  keyPath,
  mintToken,
  PROVIDER,
  recordLogs,
  seenByProvider,
  slotPath,
  someKeyUser,
  someUser,
} from '../support.ts'

const PATH = `${PROVIDER}/v1/models`
const goodKey = () => `sk-good-${crypto.randomUUID()}`
const bind = (caller: string) => exports.KeyVault({ props: { caller, grants: ['use', 'reveal'] } })

interface Answer {
  status: number
  body: Record<string, unknown>
}

/** A user with a key for OpenAI, and what the user and a caller can do. */
async function someOwner(apiKey = goodKey()) {
  const userId = await someKeyUser(apiKey)
  const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'notebook' })
  const request = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await call(method, path, { token, ...(body !== undefined && { body }) })
    return { status: response.status, body: await response.json() }
  }
  return {
    userId,
    apiKey,
    token,
    request,
    limit: async (body: unknown) => request('PATCH', slotPath(userId, 'openai'), body),
    shown: async () => (await request('GET', slotPath(userId, 'openai'))).body,
    /** Uses the key over a binding: the code, or `ok`. */
    use: async (caller = 'chat') => {
      const result = await bind(caller).fetchWithApiKey(userId, 'openai', new Request(PATH))
      if (!result.ok) return result.code
      await result.response.text()
      return 'ok'
    },
    relay: async () => {
      const response = await call('GET', '/relay/openai/v1/models', { token })
      await response.text()
      return response
    },
  }
}

const nextMidnight = () => new Date().setUTCHours(24, 0, 0, 0)

describe('a paused key', () => {
  it('is used by nobody, over no door, and can be resumed', async () => {
    const { userId, apiKey, limit, shown, use, relay } = await someOwner()
    const paused = await limit({ paused: true })
    expect(paused).toMatchObject({ status: 200, body: { has_api_key: true } })
    expect(paused.body['paused_at']).toMatch(/^20\d\d-/)
    expect(await shown()).toEqual(paused.body)
    expect(await use()).toBe('api_key_paused')
    const refusal = { ok: false, code: 'api_key_paused' }
    expect(await bind('export').getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    const headers = { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' }
    expect((await bind('chat').fetch(PATH, { headers })).status).toBe(403)
    const relayed = await relay()
    expect([relayed.status, relayed.headers.get('X-Vault-Error')]).toEqual([403, 'api_key_paused'])
    expect(await seenByProvider(apiKey)).toEqual([])
    expect((await limit({ paused: false })).body).not.toHaveProperty('paused_at')
    expect(await use()).toBe('ok')
  })

  it('stays paused when it is replaced, and keeps the time of the first pause', async () => {
    const { userId, limit, request, shown } = await someOwner()
    const { body } = await limit({ paused: true })
    expect((await limit({ paused: true })).body['paused_at']).toBe(body['paused_at'])
    const path = `${slotPath(userId, 'openai')}?verify=false`
    const saved = await request('PUT', path, { api_key: goodKey() })
    expect(saved.body).toMatchObject({ user: { paused_at: body['paused_at'] } })
    expect(await shown()).toMatchObject({ paused_at: body['paused_at'] })
  })

  it('is no longer paused when it was deleted and saved again', async () => {
    const { userId, limit, request, shown } = await someOwner()
    await limit({ paused: true })
    await request('DELETE', slotPath(userId, 'openai'))
    const path = `${slotPath(userId, 'openai')}?verify=false`
    await request('PUT', path, { api_key: goodKey() })
    expect(await shown()).not.toHaveProperty('paused_at')
  })
})

describe('the callers that an owner allows', () => {
  it('are the only ones that can use the key', async () => {
    const { userId, limit, use, relay } = await someOwner()
    expect((await limit({ callers: ['chat', 'batch'] })).body['callers']).toEqual(['chat', 'batch'])
    expect([await use('chat'), await use('batch'), await use('Chat'), await use('export')]).toEqual(
      ['ok', 'ok', 'caller_not_allowed', 'caller_not_allowed'],
    )
    const refusal = { ok: false, code: 'caller_not_allowed' }
    expect(await bind('export').getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    expect((await relay()).headers.get('X-Vault-Error')).toBe('caller_not_allowed')
    await limit({ callers: ['notebook'] })
    expect((await relay()).status).toBe(200)
    await limit({ callers: [] })
    expect([await use('chat'), (await relay()).status]).toEqual(['caller_not_allowed', 403])
    expect((await limit({ callers: null })).body).not.toHaveProperty('callers')
    expect(await use('export')).toBe('ok')
  })

  it('never allow more than the operator does', async () => {
    const { userId, limit } = await someOwner()
    await limit({ callers: ['chat'] })
    const vault = exports.KeyVault({ props: { caller: 'chat', grants: [] } })
    const result = await vault.fetchWithApiKey(userId, 'openai', new Request(PATH))
    expect(result).toEqual({ ok: false, code: 'not_granted' })
  })

  it('do not include a client whose token does not name it', async () => {
    const { userId, limit } = await someOwner()
    await limit({ callers: ['null'] })
    const token = await mintToken({ sub: userId, scope: 'relay' })
    const response = await call('GET', '/relay/openai/v1/models', { token })
    expect(response.headers.get('X-Vault-Error')).toBe('caller_not_allowed')
  })
})

describe('a maximum number of uses', () => {
  it.for(['day', 'month'] as const)('per %s is exact, and says when it ends', async (per) => {
    const { userId, limit, use, relay, shown } = await someOwner()
    await limit({ max_uses: { count: 3, per } })
    expect([await use(), await use('batch')]).toEqual(['ok', 'ok'])
    expect(await bind('export').getDecryptedApiKey(userId, 'openai')).toMatchObject({ ok: true })
    expect(await use()).toBe('limit_reached')
    expect(await shown()).toMatchObject({ max_uses: { count: 3, per, used: 3 } })
    const relayed = await relay()
    const retryAfter = Number(relayed.headers.get('Retry-After'))
    const end = per === 'day' ? nextMidnight() : nextMonth()
    expect(relayed.status).toBe(429)
    expect(relayed.headers.get('X-Vault-Error')).toBe('limit_reached')
    expect(Math.abs(end - Date.now() - retryAfter * 1_000)).toBeLessThan(10_000)
    const result = await bind('chat').fetchWithApiKey(userId, 'openai', new Request(PATH))
    expect(result).toEqual({ ok: false, code: 'limit_reached', retryAfter: expect.any(Number) })
    await limit({ max_uses: null })
    expect(await use()).toBe('ok')
  })

  const nextMonth = () => {
    const now = new Date()
    return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)
  }

  it('counts anew in the next period', async () => {
    const { userId, limit, use, shown } = await someOwner()
    await limit({ max_uses: { count: 1, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    const earlier = "UPDATE api_keys SET uses_in = '2026-01-01' WHERE user_id = ?1"
    await env.DB.prepare(earlier).bind(userId).run()
    expect(await shown()).toMatchObject({ max_uses: { used: 0 } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
  })

  it('holds across a change of the maximum, and counts anew by another period', async () => {
    const { limit, use } = await someOwner()
    await limit({ max_uses: { count: 1, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    await limit({ max_uses: { count: 2, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    await limit({ max_uses: { count: 1, per: 'month' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    await limit({ max_uses: { count: 1, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
  })

  it('of 0 allows no use, and a refused use counts nothing', async () => {
    const { limit, use, shown } = await someOwner()
    await limit({ max_uses: { count: 0, per: 'day' } })
    expect(await use()).toBe('limit_reached')
    await limit({ max_uses: { count: 1, per: 'day' }, callers: ['batch'] })
    expect(await use()).toBe('caller_not_allowed')
    expect(await shown()).toMatchObject({ max_uses: { used: 0 } })
    expect(await use('batch')).toBe('ok')
  })

  it('lets exactly as many of concurrent uses through', async () => {
    const { limit, use, apiKey } = await someOwner()
    await limit({ max_uses: { count: 10, per: 'day' } })
    const callers = ['one', 'two', 'three', 'four']
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, async (_, index) => use(callers[index % 4])),
    )
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(10)
    expect(outcomes.filter((outcome) => outcome === 'limit_reached')).toHaveLength(90)
    expect(await seenByProvider(apiKey)).toHaveLength(10)
  })
})

describe('PATCH of a slot', () => {
  it('changes only what the body has', async () => {
    const { limit, shown } = await someOwner()
    await limit({ paused: true, callers: ['chat'], max_uses: { count: 5, per: 'month' } })
    await limit({ expires_at: '2999-01-01T00:00:00+01:00' })
    expect(await shown()).toMatchObject({
      paused_at: expect.any(String),
      callers: ['chat'],
      max_uses: { count: 5, per: 'month', used: 0 },
      expires_at: '2998-12-31T23:00:00.000Z',
    })
    await limit({ callers: null })
    await limit({ expires_at: null })
    const key = await shown()
    expect(key).not.toHaveProperty('callers')
    expect(key).not.toHaveProperty('expires_at')
    expect(key).toMatchObject({ paused_at: expect.any(String), max_uses: { count: 5 } })
  })

  it('works for the plain route’s slot, an unreadable key and a removed provider', async () => {
    const { userId, request } = await someOwner()
    await request('PUT', keyPath(userId), { api_key: goodKey() })
    expect(await request('PATCH', slotPath(userId, 'default'), { paused: true })).toMatchObject({
      status: 200,
      body: { provider: 'default', paused_at: expect.any(String) },
    })
    const rename =
      "UPDATE api_keys SET provider = 'gone' WHERE user_id = ?1 AND provider = 'openai'"
    await env.DB.prepare(rename).bind(userId).run()
    recordLogs()
    expect(await request('PATCH', slotPath(userId, 'gone'), { paused: true })).toMatchObject({
      status: 200,
      body: { error: 'Invalid encrypted key' },
    })
  })

  it.for<[body: unknown, code: string, detail: string]>([
    [{}, 'limits_invalid', 'Send one or more of paused'],
    [[], 'limits_invalid', 'Send one or more of paused'],
    ['', 'limits_invalid', 'Send one or more of paused'],
    [{ pause: true }, 'limits_invalid', 'and no other field'],
    [{ paused: 'true' }, 'limits_invalid', 'paused must be true or false'],
    [{ paused: null }, 'limits_invalid', 'paused must be true or false'],
    [{ callers: 'chat' }, 'limits_invalid', 'callers must be null or a list'],
    [{ callers: [''] }, 'limits_invalid', 'callers must be null or a list'],
    [{ callers: Array.from({ length: 51 }, () => 'a') }, 'limits_invalid', 'at most 50'],
    [{ max_uses: 10 }, 'limits_invalid', 'max_uses must be null, or'],
    [{ max_uses: { count: 1 } }, 'limits_invalid', 'max_uses.per must be'],
    [{ max_uses: { count: -1, per: 'day' } }, 'limits_invalid', 'max_uses.count must be'],
    [{ max_uses: { count: 1.5, per: 'day' } }, 'limits_invalid', 'max_uses.count must be'],
    [{ max_uses: { count: 1, per: 'hour' } }, 'limits_invalid', 'max_uses.per must be'],
    [{ expires_at: '2001-01-01T00:00:00Z' }, 'expires_at_invalid', 'must be a time in the future'],
    ['{', 'invalid_json', 'The body is not JSON'],
  ])('refuses %j: %s', async ([body, code, detail]) => {
    const { limit, shown } = await someOwner()
    const before = await shown()
    expect(await limit(body)).toMatchObject({
      status: 400,
      body: { code, detail: expect.stringContaining(detail) },
    })
    expect(await shown()).toEqual(before)
  })

  it('refuses an empty slot, an unknown user and another user’s slot', async () => {
    const { userId, request, limit } = await someOwner()
    const paused = { paused: true }
    expect((await request('PATCH', slotPath(userId, 'acme'), paused)).body['code']).toBe(
      'no_api_key',
    )
    expect((await request('PATCH', slotPath('other', 'openai'), paused)).status).toBe(403)
    await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
    expect((await limit(paused)).body['code']).toBe('user_not_found')
  })

  it('obeys If-Match', async () => {
    const { userId, token, shown } = await someOwner()
    const headers = { 'If-Match': '"2001-01-01T00:00:00.000Z"' }
    const path = slotPath(userId, 'openai')
    const response = await call('PATCH', path, { token, headers, body: { paused: true } })
    expect(response.status).toBe(412)
    expect(await shown()).not.toHaveProperty('paused_at')
  })
})

it('limits stay with a key that moves to the slot of DEFAULT_PROVIDER', async () => {
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  await call('PUT', keyPath(userId), { token, body: { api_key: goodKey() } })
  await call('PATCH', slotPath(userId, 'default'), { token, body: { paused: true } })
  const vault = { DEFAULT_PROVIDER: 'openai' }
  await call('PUT', keyPath(userId), { token, body: { api_key: goodKey() }, env: vault })
  const rows = 'SELECT provider, paused_at FROM api_keys WHERE user_id = ?1'
  const { results } = await env.DB.prepare(rows).bind(userId).all()
  expect(results).toEqual([{ provider: 'openai', paused_at: expect.any(String) }])
})

it('with two keys in the slot of DEFAULT_PROVIDER, the limit of the later one counts', async () => {
  const { userId, token, request, limit } = await someOwner()
  await call('PUT', keyPath(userId), { token, body: { api_key: goodKey() } })
  await request('PATCH', slotPath(userId, 'default'), { max_uses: { count: 9, per: 'day' } })
  await limit({ max_uses: { count: 1, per: 'day' } })
  await env.DB.prepare('UPDATE api_keys SET updated_at = ?2 WHERE user_id = ?1 AND provider = ?3')
    .bind(userId, '2020-01-01T00:00:00.000Z', 'default')
    .run()
  const use = async () => {
    const vault = { DEFAULT_PROVIDER: 'openai' }
    const response = await call('GET', '/relay/openai/v1/models', { token, env: vault })
    await response.text()
    return response.headers.get('X-Vault-Error') ?? response.status
  }
  expect([await use(), await use()]).toEqual([200, 'limit_reached'])
})
