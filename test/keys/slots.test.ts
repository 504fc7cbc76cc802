import { env } from '../isolate.ts'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { listSlots } from '../../src/keys/slots.ts'
import {
  call,
  keyPath,
  mintToken,
  ownerOf,
  putKey,
  interceptD1,
  recordLogs,
  seenByProvider,
  slotPath,
  someUser,
  storedKey,
} from '../support.ts'

/** Adds a user, and returns the calls for that user's slots. */
async function someOwner(vault: Env = env) {
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  const request = async (method: string, path: string, body?: unknown) => {
    const response = await call(method, path, { token, body, env: vault })
    return { status: response.status, body: await response.json<Record<string, unknown>>() }
  }
  return {
    userId,
    put: async (provider: string, apiKey: string, query = '') =>
      request('PUT', slotPath(userId, provider) + query, { api_key: apiKey }),
    get: async (provider: string) => request('GET', slotPath(userId, provider)),
    remove: async (provider: string) => request('DELETE', slotPath(userId, provider)),
    verify: async (provider: string) => request('POST', `${slotPath(userId, provider)}/verify`),
    list: async () => request('GET', slotPath(userId, '').slice(0, -1)),
    stored: async (provider: string) => storedKey(userId, vault, provider),
  }
}

const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`
const time = expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]{12}Z$/)

describe('a slot', () => {
  it('answers like the plain route, with provider and status', async () => {
    const { userId, put, get, remove } = await someOwner()
    expect(await get('openai')).toEqual({
      status: 200,
      body: { provider: 'openai', has_api_key: false },
    })
    const apiKey = someKeyOf('good')
    const last4 = { api_key_last4: apiKey.slice(-4) }
    const key = { api_key_preview: 'sk-good-...', ...last4, api_key_updated_at: time }
    const times = { last_used_at: null, last_verified_at: null }
    const slot = { provider: 'openai', status: 'active', ...times }
    expect(await put('openai', apiKey)).toEqual({
      status: 200,
      body: {
        message: 'API key updated successfully',
        user_id: userId,
        user: { id: userId, has_api_key: true, ...key, ...slot },
      },
    })
    expect(await get('openai')).toEqual({
      status: 200,
      body: { has_api_key: true, ...key, ...slot },
    })
    expect(await remove('openai')).toEqual({
      status: 200,
      body: {
        message: 'API key deleted successfully',
        user_id: userId,
        user: {
          id: userId,
          has_api_key: false,
          api_key_preview: null,
          api_key_updated_at: null,
          provider: 'openai',
          status: null,
          ...times,
        },
      },
    })
    expect(await get('openai')).toMatchObject({ body: { has_api_key: false } })
  })

  it('answers the last 4 characters of a key of 20 or more, and logs them nowhere', async () => {
    const logs = recordLogs()
    const { userId, put, get } = await someOwner()
    const keys = ['sk-good-0123456-Qx7Z', 'sk-good-012345-Qx7Z']
    const last4 = []
    for (const key of keys) {
      await put('openai', key)
      last4.push((await get('openai')).body['api_key_last4'])
    }
    expect(last4).toEqual(['Qx7Z', undefined])
    expect(logs.text()).not.toContain('Qx7Z')
    const token = await mintToken({ sub: userId })
    await putKey(userId, keys[0])
    const plain: object = await (await call('GET', keyPath(userId), { token })).json()
    expect(plain).not.toHaveProperty('api_key_last4')
  })

  it('holds a key of its own, which opens nowhere else; "default" is the plain route’s', async () => {
    const { userId, put, get, stored } = await someOwner()
    await put('openai', 'sk-good-one')
    await put('acme', 'sk-acme-two')
    await putKey(userId, 'sk-plain-three')
    expect([await stored('openai'), await stored('acme'), await stored('default')]).toEqual([
      'sk-good-one',
      'sk-acme-two',
      'sk-plain-three',
    ])
    expect(await get('default')).toMatchObject({
      body: { provider: 'default', api_key_preview: 'sk-plain...', status: 'unverified' },
    })
    const swap = "UPDATE api_keys SET provider = 'gemini' WHERE user_id = ?1 AND provider = 'acme'"
    await env.DB.prepare(swap).bind(userId).run()
    recordLogs()
    expect(await get('gemini')).toEqual({
      status: 200,
      body: {
        provider: 'gemini',
        has_api_key: false,
        error: 'Invalid encrypted key',
        reason: 'cannot_be_decrypted',
      },
    })
  })

  it('says that the encryption key is missing, which its user cannot mend', async () => {
    recordLogs()
    const { userId, put } = await someOwner()
    await put('openai', someKeyOf('good'))
    const other = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
    const token = await mintToken({ sub: userId })
    const options = { token, env: { API_KEY_ENCRYPTION_KEY: other } }
    const slot = await call('GET', slotPath(userId, 'openai'), options)
    expect(await slot.json()).toEqual({
      provider: 'openai',
      has_api_key: false,
      error: 'Invalid encrypted key',
      reason: 'encryption_key_missing',
    })
    const list = await call('GET', slotPath(userId, '').slice(0, -1), options)
    expect(await list.text()).toContain('"reason":"encryption_key_missing"')
  })

  it('is listed with the others, those without a key too', async () => {
    const { userId, put, list } = await someOwner()
    await put('openai', 'sk-good-one')
    await putKey(userId, 'sk-plain-three')
    const { status, body } = await list()
    expect(status).toBe(200)
    expect(body).toMatchObject({ user_id: userId })
    const slots = body['api_keys']
    if (!Array.isArray(slots)) throw new TypeError('No list')
    expect(slots.map(({ provider }) => provider)).toEqual([
      'default',
      'openai',
      'anthropic',
      'gemini',
      'openrouter',
      'mistral',
      'groq',
      'deepseek',
      'xai',
      'cohere',
      'together',
      'perplexity',
      'huggingface',
      'replicate',
      'github',
      'acme',
      'own',
    ])
    expect(slots.slice(0, 3)).toEqual([
      {
        label: null,
        key_page: null,
        key_prefixes: [],
        provider: 'default',
        has_api_key: true,
        api_key_preview: 'sk-plain...',
        api_key_updated_at: time,
        status: 'unverified',
        last_used_at: null,
        last_verified_at: null,
      },
      {
        label: 'OpenAI',
        key_page: 'https://platform.openai.com/api-keys',
        key_prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-'],
        provider: 'openai',
        has_api_key: true,
        api_key_preview: 'sk-good-...',
        api_key_updated_at: time,
        status: 'active',
        last_used_at: null,
        last_verified_at: null,
      },
      {
        label: 'Anthropic',
        key_page: 'https://platform.claude.com/settings/keys',
        key_prefixes: ['sk-ant-'],
        provider: 'anthropic',
        has_api_key: false,
      },
    ])
  })

  it.for(['nobody', 'constructor', '__proto__', 'OpenAI', 'openai%20'])(
    'answers 404 and names the known providers for the unknown provider %s',
    async (provider) => {
      const { put, get, remove, verify } = await someOwner()
      const answers = [
        await put(provider, 'sk-1'),
        await get(provider),
        await remove(provider),
        await verify(provider),
      ]
      for (const answer of answers) {
        expect(answer).toMatchObject({
          status: 404,
          body: {
            error: 'Unknown provider',
            code: 'unknown_provider',
            detail: expect.stringContaining('openai, anthropic, '),
          },
        })
      }
    },
  )

  it('lists the slot of a removed provider, and can delete its key', async () => {
    const { userId, put, list, remove } = await someOwner()
    await put('acme', 'sk-acme-one')
    await env.DB.prepare("UPDATE api_keys SET provider = 'gone' WHERE user_id = ?1")
      .bind(userId)
      .run()
    recordLogs()
    const { body } = await list()
    expect(body['api_keys']).toContainEqual({
      label: null,
      key_page: null,
      key_prefixes: [],
      provider: 'gone',
      has_api_key: false,
      error: 'Invalid encrypted key',
      reason: 'cannot_be_decrypted',
    })
    expect((await remove('gone')).status).toBe(200)
    expect((await remove('gone')).status).toBe(404)
  })

  it('checks token, owner, body and user like the plain route', async () => {
    const owner = await someUser()
    const absent = `absent-${crypto.randomUUID()}`
    const token = await mintToken({ sub: absent })
    const path = slotPath(absent, 'openai')
    const options = { token }
    const status = async (method: string, path_: string, more: object) =>
      (await call(method, path_, more)).status
    for (const [method, suffix] of [
      ['PUT', ''],
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/verify'],
    ] as const) {
      expect(await status(method, path + suffix, {})).toBe(401)
      expect(await status(method, slotPath(owner, 'openai') + suffix, options)).toBe(403)
    }
    expect(await status('GET', slotPath(owner, '').slice(0, -1), options)).toBe(403)
    expect(await status('PUT', path, { ...options, body: { apiKey: 'x' } })).toBe(400)
    for (const query of ['verify=maybe', 'verify=', 'verify=true&verify=false']) {
      const put = await status('PUT', `${path}?${query}`, { ...options, body: { api_key: 'x' } })
      expect(put).toBe(400)
    }
    expect(await status('PUT', path, { ...options, body: { api_key: 'sk-good-1' } })).toBe(404)
    expect(await status('GET', path, options)).toBe(404)
    expect(await status('GET', slotPath(absent, '').slice(0, -1), options)).toBe(404)
    expect(await status('POST', path, options)).toBe(405)
  })

  it('does not change the answers of the plain route', async () => {
    const { userId } = await someOwner()
    const token = await mintToken({ sub: userId })
    const body: object = await (await putKey(userId, 'sk-bad-plain')).json()
    expect(Object.keys(body)).toEqual(['message', 'user_id', 'user'])
    const get: object = await (await call('GET', keyPath(userId), { token })).json()
    expect(Object.keys(get)).toEqual(['has_api_key', 'api_key_preview', 'api_key_updated_at'])
  })
})

describe('checking a key before saving it', () => {
  it('sends the key in the provider’s header to the path of the probe', async () => {
    const { put } = await someOwner()
    const [one, other] = [someKeyOf('good'), someKeyOf('acme')]
    await put('openai', one)
    await put('acme', other)
    expect(await seenByProvider(one)).toMatchObject([
      { method: 'GET', url: '/v1/models', headers: { authorization: `Bearer ${one}` } },
    ])
    expect(await seenByProvider(other)).toMatchObject([
      { url: '/v1/models', headers: { 'x-acme-key': other, 'x-acme-version': '1' } },
    ])
  })

  it('keeps the previous key if the provider rejects the new one', async () => {
    const logs = recordLogs()
    const { userId, put, get, stored } = await someOwner()
    const [good, bad] = [someKeyOf('good'), someKeyOf('bad')]
    await put('openai', good)
    const refused = await put('openai', bad)
    expect(refused).toEqual({
      status: 422,
      body: {
        error: 'The provider rejected this API key',
        code: 'api_key_rejected',
        detail: 'OpenAI does not accept this key.',
        request_id: expect.any(String),
      },
    })
    expect(await stored('openai')).toBe(good)
    expect(await get('openai')).toMatchObject({ body: { status: 'active' } })
    const shown = logs.text() + JSON.stringify(refused)
    expect(shown).not.toContain(bad)
    expect(shown).not.toContain('Incorrect')
    expect(logs.events()).toContainEqual({
      level: 'info',
      event: 'api_key_tried',
      request_id: refused.body['request_id'],
      user_id: userId,
      provider: 'openai',
      verdict: 'refused',
      reason: 'HTTP 401',
    })
  })

  it.for([
    ['an ambiguous 401', 'openai', 'scope', 'HTTP 401'],
    ['403', 'openai', 'region', 'HTTP 403'],
    ['429', 'openai', 'busy', 'HTTP 429'],
    ['500', 'openai', 'down', 'HTTP 500'],
    ['a redirect', 'openai', 'moved', 'HTTP 307'],
    ['no answer in time', 'openai', 'hang', 'TimeoutError'],
    ['no connection', 'mistral', 'good', expect.stringMatching(/Error$/)],
    ['a provider without refusals', 'acme', 'bad', 'HTTP 401'],
  ] as const)('saves the key as unverified after %s', async ([, provider, kind, reason]) => {
    const logs = recordLogs()
    const { put, stored } = await someOwner()
    const key = someKeyOf(kind)
    const soon = AbortSignal.timeout(300)
    const limit = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(soon)
    expect(await put(provider, key)).toMatchObject({
      status: 200,
      body: { user: { status: 'unverified' } },
    })
    expect(await stored(provider)).toBe(key)
    expect(logs.events()).toContainEqual(expect.objectContaining({ verdict: 'unknown', reason }))
    expect(limit).toHaveBeenCalledExactlyOnceWith(5_000)
  })

  it('rejects the key by the part that arrived if the provider’s answer breaks off', async () => {
    const { put } = await someOwner()
    expect((await put('openai', someKeyOf('torn'))).status).toBe(422)
  })

  it('does not follow a redirect with the key in it', async () => {
    const { put } = await someOwner()
    const key = someKeyOf('moved')
    await put('openai', key)
    expect(await seenByProvider(key)).toHaveLength(1)
  })

  it.for([
    ['VERIFY_ON_SAVE = "false"', { VERIFY_ON_SAVE: 'false' }, '', false],
    ['?verify=false', {}, '?verify=false', false],
    ['?verify=true over VERIFY_ON_SAVE', { VERIFY_ON_SAVE: 'false' }, '?verify=true', true],
  ] as const)('decides by %s whether to ask the provider', async ([, changes, query, tried]) => {
    const { put } = await someOwner({ ...env, ...changes })
    const key = someKeyOf('bad')
    expect((await put('openai', key, query)).status).toBe(tried ? 422 : 200)
    expect(await seenByProvider(key)).toHaveLength(tried ? 1 : 0)
  })
})

describe('POST …/verify', () => {
  it.for([
    ['good', 'accepted', 'active', time],
    ['bad', 'refused', 'rejected', time],
    ['busy', 'unknown', 'unverified', null],
  ] as const)(
    'tries the saved key and records the result, not a use: %s',
    async ([kind, verdict, status, last_verified_at]) => {
      const { put, get, verify } = await someOwner()
      await put('openai', someKeyOf(kind), '?verify=false')
      const times = { last_used_at: null, last_verified_at }
      const saved = { has_api_key: true, provider: 'openai', status, ...times }
      expect(await verify('openai')).toMatchObject({ status: 200, body: { ...saved, verdict } })
      expect(await get('openai')).toMatchObject({ body: saved })
    },
  )

  it('answers for the current key if another key was saved during the check', async () => {
    const { userId, put, verify, stored } = await someOwner()
    const [one, other] = [someKeyOf('good'), someKeyOf('good')]
    await put('openai', one, '?verify=false')
    const send = fetch
    vi.spyOn(globalThis, 'fetch').mockImplementationOnce(async (...request) => {
      await saveSlot(await ownerOf(userId), 'openai', { apiKey: other, verify: false })
      return send(...request)
    })
    expect(await verify('openai')).toMatchObject({ body: { status: 'unverified', verdict: null } })
    expect(await stored('openai')).toBe(other)
  })

  it('answers a null verdict without a key, with an unreadable one, and without a provider', async () => {
    recordLogs()
    const { userId, put, verify } = await someOwner()
    expect((await verify('openai')).body).toEqual({
      provider: 'openai',
      has_api_key: false,
      verdict: null,
    })
    await putKey(userId, 'sk-plain')
    expect((await verify('default')).body).toMatchObject({ has_api_key: true, verdict: null })
    await put('openai', 'sk-good-1')
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
      .bind(userId)
      .run()
    expect((await verify('openai')).body).toMatchObject({
      error: 'Invalid encrypted key',
      verdict: null,
    })
  })
})

describe('asking a provider', () => {
  const TIGHT = { ...env, PROBE_LIMITER: env.TIGHT_RATE_LIMITER }

  it('does not ask a provider for a user without a row', async () => {
    const userId = `absent-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId })
    const keys = Array.from({ length: 20 }, (_, n) => someKeyOf(n % 2 === 0 ? 'good' : 'bad'))
    const save = async (api_key: string) =>
      call('PUT', `${slotPath(userId, 'openai')}?verify=true`, { token, body: { api_key } })
    const answers = await Promise.all(keys.map(save))
    expect(answers.map(({ status }) => status)).toEqual(keys.map(() => 404))
    expect((await Promise.all(keys.map(seenByProvider))).flat()).toEqual([])
  })

  it('neither asks a provider without a probe nor counts that as a check', async () => {
    const probeless = { label: 'Acme', origin: 'http://localhost', header: 'x-key', refusals: [] }
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const { userId, put, verify } = await someOwner({
      ...TIGHT,
      DB,
      PROVIDERS: { acme: probeless },
    })
    const key = someKeyOf('good')
    const save = async () => put('acme', key, '?verify=true')
    const saved = [await save(), await save(), await save(), await save()]
    expect(saved.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(trips).toBe(saved.length)
    expect(await storedKey(userId, TIGHT, 'acme')).toBe(key)
    for (const _ of saved) {
      expect(await verify('acme')).toMatchObject({ status: 200, body: { verdict: 'unknown' } })
    }
    expect(await seenByProvider(key)).toEqual([])
  })

  it('limits checks separately, so that saving without a check still works', async () => {
    const { userId, put, get, verify } = await someOwner(TIGHT)
    const saved = [await put('openai', someKeyOf('good')), await put('openai', someKeyOf('bad'))]
    expect(saved.map(({ status }) => status)).toEqual([200, 422])
    const [third, fourth] = [someKeyOf('good'), someKeyOf('good')]
    expect(await put('openai', third)).toMatchObject({
      status: 429,
      body: { code: 'rate_limited' },
    })
    expect((await verify('openai')).status).toBe(429)
    expect(await seenByProvider(third)).toEqual([])
    expect((await get('openai')).status).toBe(200)
    expect((await put('openai', fourth, '?verify=false')).status).toBe(200)
    expect(await storedKey(userId, TIGHT, 'openai')).toBe(fourth)
  })
})

describe('a rate limiter', () => {
  it.for<[name: string, limit: () => Promise<RateLimitOutcome>]>([
    ['fails', async () => Promise.reject(new Error('limiter is down'))],
    ['never answers', async () => new Promise(() => {})],
  ])('lets the request pass, and logs a limiter that %s', async ([, limit]) => {
    const logs = recordLogs()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const asked = Promise.withResolvers<void>()
    const RATE_LIMITER = {
      limit: async () => {
        asked.resolve()
        return limit()
      },
    }
    const { get } = await someOwner({ ...env, RATE_LIMITER })
    const answer = get('openai')
    await asked.promise
    await vi.advanceTimersByTimeAsync(1_000)
    expect((await answer).status).toBe(200)
    expect(logs.events()).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'rate_limiter_failed' }),
    )
  })
})

describe('the list', () => {
  const vault = { ...env, DEFAULT_PROVIDER: 'openai' }

  it('has each provider’s slot, and no other, for a user without keys', async () => {
    const owner = await ownerOf(await someUser())
    const slots = await listSlots(owner)
    expect(slots.map(({ name }) => name)).toEqual([
      'default',
      ...owner.service.settings.providers.keys(),
    ])
    expect(new Set(slots.map(({ key }) => key.state))).toEqual(new Set(['empty']))
  })

  it.for<[name: string, plain: string, own: string, shown: string]>([
    ['the plain route’s', '2026-01-02', '2026-01-01', 'sk-plain'],
    ['the slot’s own', '2026-01-01', '2026-01-02', 'sk-own'],
    ['the slot’s own, as old as the other,', '2026-01-01', '2026-01-01', 'sk-own'],
  ])('shows the later of two keys of a slot: %s', async ([, plain, own, shown]) => {
    const userId = await someUser()
    const owner = await ownerOf(userId)
    await saveSlot(owner, 'default', { apiKey: 'sk-plain', verify: false })
    await saveSlot(owner, 'openai', { apiKey: 'sk-own', verify: false })
    const date = env.DB.prepare(
      'UPDATE api_keys SET updated_at = ?3 WHERE user_id = ?1 AND provider = ?2',
    )
    await env.DB.batch([date.bind(userId, 'default', plain), date.bind(userId, 'openai', own)])
    const slots = await listSlots(await ownerOf(userId, vault))
    expect(slots.find(({ name }) => name === 'openai')?.key).toMatchObject({ apiKey: shown })
    expect(slots.map(({ name }) => name)).not.toContain('default')
  })
})
