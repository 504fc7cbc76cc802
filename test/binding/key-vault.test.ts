import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { exports } from 'cloudflare:workers'
import { env } from '../isolate.ts'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { readKey } from '../../src/keys/slots.ts'
import { record } from '../../src/keys/verdict.ts'
import { updateStatus, updateUsed, updateVerified } from '../../src/store/api-keys.ts'
import {
  interceptD1,
  ownerOf,
  PROVIDER,
  recordLogs,
  seenByProvider,
  someKeyUser,
  someUser,
  storedKey,
} from '../support.ts'

const PATH = `${PROVIDER}/v1/models`
const HOUR_MS = 60 * 60 * 1000
const ALL = { caller: 'chat', grants: ['use', 'reveal', 'users', 'support'] }
const REJECTED = { status: 'rejected', at: '2026-01-01T12:00:00.000Z' } as const
const bind = (props: object) => exports.KeyVault({ props })
const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

const rowOf = async (userId: string) =>
  env.DB.prepare('SELECT status, last_used_at FROM api_keys WHERE user_id = ?1')
    .bind(userId)
    .first()

const time = expect.stringMatching(/^20\d\d-/)

/** Waits until the work after the response has ended. */
const eventually = async (check: () => Promise<void>) => vi.waitFor(check, { timeout: 10_000 })

describe('the grants of a binding', () => {
  const wanted = [
    'fetchWithApiKey',
    'fetch',
    'getDecryptedApiKey',
    'createUser',
    'deleteUser',
    'hasUser',
    'listSlots',
    'listEvents',
    'pauseKey',
    'deleteKey',
  ]

  it('apply to the only ten methods', () => {
    const methods = Object.getOwnPropertyNames(KeyVault.prototype)
    expect(methods.filter((name) => name !== 'constructor')).toEqual(wanted)
  })

  it.for<[name: string, props: object]>([
    ['no props', {}],
    ['no grants', { caller: 'chat', grants: [] }],
    ['no caller', { grants: ['use', 'reveal', 'users'] }],
    ['grants that are a text', { caller: 'chat', grants: 'use,reveal,users' }],
    ['a grant that there is not', { caller: 'chat', grants: ['use', 'reveal', 'users', 'all'] }],
    ['a misspelt limit', { ...ALL, provider: ['openai'] }],
  ])('allow nothing with %s', async ([, props]) => {
    const logs = recordLogs()
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const vault = bind(props)
    const refusal = { ok: false, code: 'not_granted' }
    expect(await vault.fetchWithApiKey(userId, 'openai', new Request(PATH))).toEqual(refusal)
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    expect(await vault.createUser('new')).toEqual(refusal)
    expect(await vault.deleteUser(userId)).toEqual(refusal)
    expect(await vault.hasUser(userId)).toEqual(refusal)
    expect(await vault.listSlots(userId)).toEqual(refusal)
    expect(await vault.listEvents(userId)).toEqual(refusal)
    expect(await vault.pauseKey(userId, 'openai')).toEqual(refusal)
    expect(await vault.deleteKey(userId, 'openai')).toEqual(refusal)
    const headers = { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' }
    const answer = await vault.fetch(PATH, { headers })
    expect([answer.status, answer.headers.get('X-Vault-Error')]).toEqual([403, 'not_granted'])
    expect(await storedKey(userId, env, 'openai')).toBe(key)
    expect(await seenByProvider(key)).toEqual([])
    expect(logs.events().filter(({ code }) => code === 'not_granted')).toHaveLength(10)
  })

  it.for([
    ['use', ['fetchWithApiKey']],
    ['reveal', ['getDecryptedApiKey']],
    ['users', ['createUser', 'hasUser', 'deleteUser']],
    ['support', ['listSlots', 'listEvents', 'pauseKey', 'deleteKey']],
  ] as const)('allow with %s only %j', async ([grant, granted]) => {
    const userId = await someKeyUser(someKeyOf('good'))
    const vault = bind({ caller: 'chat', grants: [grant] })
    const results = {
      fetchWithApiKey: await vault.fetchWithApiKey(userId, 'openai', new Request(PATH)),
      getDecryptedApiKey: await vault.getDecryptedApiKey(userId, 'openai'),
      listSlots: await vault.listSlots(userId),
      listEvents: await vault.listEvents(userId),
      pauseKey: await vault.pauseKey(userId, 'openai'),
      deleteKey: await vault.deleteKey(userId, 'openai'),
      createUser: await vault.createUser(userId),
      hasUser: await vault.hasUser(userId),
      deleteUser: await vault.deleteUser(userId),
    }
    const ok = Object.entries(results).filter(([, result]) => result.ok)
    expect(ok.map(([name]) => name)).toEqual(granted)
  })

  it('allow only the providers that the binding names', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const vault = bind({ ...ALL, providers: ['anthropic'] })
    const refusal = { ok: false, code: 'provider_not_granted' }
    const refused = await vault.fetchWithApiKey(userId, 'openai', new Request(PATH))
    expect([refused, Object.keys(refused)]).toEqual([refusal, ['ok', 'code']])
    const headers = { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' }
    const answer = await vault.fetch(PATH, { headers })
    expect(answer.headers.get('X-Vault-Error')).toBe('provider_not_granted')
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    expect(await vault.getDecryptedApiKey(userId)).toEqual(refusal)
    expect(await vault.getDecryptedApiKey(userId, 'anthropic')).toEqual({ ok: true, apiKey: null })
    expect(await vault.pauseKey(userId, 'openai')).toEqual(refusal)
    expect(await vault.deleteKey(userId, 'openai')).toEqual(refusal)
    expect(await vault.listEvents(userId)).toEqual(refusal)
    expect(await vault.listEvents(userId, { provider: 'openai' })).toEqual(refusal)
    expect(await vault.listSlots(userId)).toMatchObject({ slots: [{ provider: 'anthropic' }] })
    expect(await seenByProvider(key)).toEqual([])
  })
})

describe('fetchWithApiKey', () => {
  const vault = bind({ caller: 'chat', grants: ['use'] })

  it('adds the key, and removes the caller’s own credentials and hop-by-hop headers', async () => {
    const [key, word] = [someKeyOf('good'), crypto.randomUUID()]
    const userId = await someKeyUser(key)
    const request = new Request(`${PROVIDER}/v1/models?a=b`, {
      method: 'POST',
      body: '{"model": "x"}',
      headers: {
        Authorization: `Bearer ${word}`,
        'X-API-Key': word,
        'x-goog-api-key': word,
        'API-Key': word,
        Cookie: `session=${word}`,
        'Proxy-Authorization': word,
        'X-Forwarded-For': word,
        'CF-Connecting-IP': word,
        Connection: 'close, X-Hop',
        'X-Hop': word,
        'Content-Type': 'application/json',
        'OpenAI-Beta': 'yes',
        'X-Auth-Token': word,
        'X-Amz-Security-Token': word,
        Via: word,
      },
    })
    const result = await vault.fetchWithApiKey(userId, 'openai', request)
    if (!result.ok) throw new Error(result.code)
    expect(result.response.status).toBe(200)
    expect(await result.response.json()).toEqual({ data: [] })
    const [seen, ...more] = await seenByProvider(key)
    expect(more).toEqual([])
    expect(seen).toMatchObject({
      method: 'POST',
      url: '/v1/models?a=b',
      body: '{"model": "x"}',
      headers: {
        authorization: `Bearer ${key}`,
        'content-type': 'application/json',
        'openai-beta': 'yes',
      },
    })
    expect(JSON.stringify(seen)).not.toContain(word)
  })

  it('streams the first event before the last one is sent', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const request = new Request(`${PROVIDER}/v1/chat/completions`, { method: 'POST', body: '{}' })
    const result = await vault.fetchWithApiKey(userId, 'openai', request)
    if (!result.ok) throw new Error(result.code)
    expect(result.response.headers.get('Content-Type')).toBe('text/event-stream')
    const reader = result.response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const first = await reader?.read()
    expect(first?.value).toContain('first')
    expect(first?.value).not.toContain('last')
    await fetch(`${PROVIDER}/release`, { method: 'POST' })
    let rest = ''
    for (let chunk = await reader?.read(); chunk?.value; chunk = await reader?.read())
      rest += chunk.value
    expect(rest).toContain('last')
    expect(rest).toContain('[DONE]')
  })

  it('returns no header that holds the key, and returns the body unchanged', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const result = await vault.fetchWithApiKey(userId, 'openai', new Request(`${PROVIDER}/echo`))
    if (!result.ok) throw new Error(result.code)
    expect(JSON.stringify([...result.response.headers])).not.toContain(key)
    expect(result.response.headers.get('X-B')).toBeNull()
    expect(result.response.statusText).not.toContain(key)
    expect(result.response.headers.get('X-Other')).toBe('kept')
    expect(await result.response.text()).toBe('echo')
  })

  it('does not follow a redirect', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const result = await vault.fetchWithApiKey(
      userId,
      'openai',
      new Request(`${PROVIDER}/redirect`),
    )
    if (!result.ok) throw new Error(result.code)
    expect(result.response.status).toBe(307)
    expect(await seenByProvider(key)).toHaveLength(1)
  })

  it.for(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    'sends the method %s',
    async (method) => {
      const key = someKeyOf('good')
      const userId = await someKeyUser(key)
      const request = new Request(PATH, { method })
      const result = await vault.fetchWithApiKey(userId, 'openai', request)
      if (!result.ok) throw new Error(result.code)
      await result.response.text()
      expect(await seenByProvider(key)).toMatchObject([{ method }])
    },
  )

  it.for(['OPTIONS', 'PROPFIND'])('refuses the method %s', async (method) => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const request = new Request(PATH, { method })
    expect(await vault.fetchWithApiKey(userId, 'openai', request)).toEqual({
      ok: false,
      code: 'method_not_allowed',
    })
    expect(await seenByProvider(key)).toEqual([])
    expect(await rowOf(userId)).toMatchObject({ status: 'unverified' })
  })

  it.for([
    ['another origin', 'origin_not_allowed', 'openai', 'https://api.openai.com/v1/models'],
    ['another port', 'origin_not_allowed', 'openai', 'http://127.0.0.1:1/v1/models'],
    [
      'the origin in the place of a password',
      'origin_not_allowed',
      'openai',
      PATH.replace('//', '//a@b.test?'),
    ],
    ['an unknown provider', 'unknown_provider', 'nobody', PATH],
    ['the default slot', 'unknown_provider', 'default', PATH],
    ['a slot without a key', 'no_api_key', 'acme', PATH],
    ['a provider that is down', 'provider_unreachable', 'mistral', 'http://127.0.0.1:9/v1'],
  ] as const)('refuses %s: %s', async ([, code, provider, url]) => {
    recordLogs()
    const key = someKeyOf('good')
    const userId = await someKeyUser(key, provider === 'mistral' ? 'mistral' : 'openai')
    const result = await vault.fetchWithApiKey(userId, provider, new Request(url))
    expect(result).toEqual({ ok: false, code })
    expect(await seenByProvider(key)).toEqual([])
  })

  it('refuses an unknown user and malformed arguments', async () => {
    const request = new Request(PATH)
    const refusal = (code: string) => ({ ok: false, code })
    expect(await vault.fetchWithApiKey('nobody', 'openai', request)).toEqual(
      refusal('user_not_found'),
    )
    expect(await vault.fetchWithApiKey('', 'openai', request)).toEqual(refusal('invalid_argument'))
    for (const values of [
      [7, 'openai', request],
      ['u', {}, request],
      ['u', 'openai', PATH],
      ['u'],
    ]) {
      const result: unknown = await Reflect.apply(vault.fetchWithApiKey, vault, values)
      expect(result).toEqual(refusal('invalid_argument'))
    }
  })

  it('records the status and the time of use when the provider accepts or rejects the key', async () => {
    const use = async (kind: string) => {
      const userId = await someKeyUser(someKeyOf(kind))
      const request = new Request(PATH, { method: 'POST' })
      const result = await vault.fetchWithApiKey(userId, 'openai', request)
      if (!result.ok) throw new Error(result.code)
      const text = await result.response.text()
      return { userId, status: result.response.status, text }
    }
    const bad = await use('bad')
    expect(bad.status).toBe(401)
    expect(bad.text).toContain('Incorrect API key')
    const [good, scope] = [await use('good'), await use('scope')]
    await eventually(async () => {
      expect(await rowOf(bad.userId)).toEqual({ status: 'rejected', last_used_at: time })
      expect(await rowOf(good.userId)).toEqual({ status: 'active', last_used_at: time })
      expect(await rowOf(scope.userId)).toEqual({ status: 'unverified', last_used_at: time })
    })
  })
})

describe('the record of a use', () => {
  /** A key with this status, which was used so long ago, and is used now. */
  interface Used {
    kind: 'good' | 'bad'
    status: string
    msAgo: number
    method?: string
    /** The status that is written; without it, nothing is. */
    written?: string
    events?: number
  }

  it.for<[what: string, used: Used]>([
    ['is not written within an hour', { kind: 'good', status: 'active', msAgo: HOUR_MS - 1 }],
    [
      'is written after an hour',
      { kind: 'good', status: 'active', msAgo: HOUR_MS, written: 'active' },
    ],
    [
      'is written at once if the status changes',
      { kind: 'good', status: 'rejected', msAgo: HOUR_MS - 1, written: 'active' },
    ],
    [
      'proves nothing for a GET',
      { kind: 'good', status: 'rejected', msAgo: HOUR_MS - 1, method: 'GET' },
    ],
    [
      'proves nothing for a HEAD',
      { kind: 'good', status: 'rejected', msAgo: HOUR_MS - 1, method: 'HEAD' },
    ],
    [
      'has an event if the provider rejects the key',
      { kind: 'bad', status: 'active', msAgo: HOUR_MS - 1, written: 'rejected', events: 1 },
    ],
    [
      'has no event if it rejects the key again',
      { kind: 'bad', status: 'rejected', msAgo: HOUR_MS, written: 'rejected' },
    ],
  ])('%s', async ([, { kind, status, msAgo, method = 'POST', written, events = 0 }]) => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    onTestFinished(() => void vi.useRealTimers())
    const userId = await someKeyUser(someKeyOf(kind))
    const before = new Date(Date.now() - msAgo).toISOString()
    await env.DB.prepare('UPDATE api_keys SET last_used_at = ?2, status = ?3 WHERE user_id = ?1')
      .bind(userId, before, status)
      .run()
    const props = { caller: 'chat', grants: ['use'] }
    const context = Object.assign(createExecutionContext(), { props })
    const request = new Request(PATH, { method })
    const result = await new KeyVault(context, env).fetchWithApiKey(userId, 'openai', request)
    if (result.ok) await result.response.text()
    await waitOnExecutionContext(context)
    expect(await rowOf(userId)).toEqual({
      status: written ?? status,
      last_used_at: written === undefined ? before : new Date().toISOString(),
    })
    const trail = "SELECT 1 FROM api_key_events WHERE user_id = ?1 AND event = 'rejected_in_use'"
    expect((await env.DB.prepare(trail).bind(userId).all()).results).toHaveLength(events)
  })

  const lateD1 = (trip: number, late: () => Promise<unknown>) => {
    let trips = 0
    return interceptD1(async (go) => {
      trips += 1
      if (trips === trip) await late()
      return go()
    })
  }

  it('is not written for a read that a public endpoint may have answered', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const key = await readKey(owner, 'openai')
    if (key.state !== 'open') throw new Error('The slot is empty')
    await record(owner, updateStatus(key.row, REJECTED), null)
    const binding = bind({ caller: 'chat', grants: ['use'] })
    const result = await binding.fetchWithApiKey(userId, 'openai', new Request(PATH))
    if (result.ok) await result.response.text()
    expect(await rowOf(userId)).toMatchObject({ status: 'rejected' })
  })

  it('never changes a key that was saved meanwhile', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const key = await readKey(owner, 'openai')
    if (key.state !== 'open') throw new Error('The slot is empty')
    await saveSlot(owner, 'openai', { apiKey: someKeyOf('good'), verify: false })
    const { at } = REJECTED
    const updates = [
      updateStatus(key.row, REJECTED),
      updateVerified(key.row, REJECTED),
      updateUsed(key.row, { at, before: at }),
    ]
    const changes = await Promise.all(updates.map(async (update) => record(owner, update, null)))
    expect(changes).toEqual([false, false, false])
    expect(await rowOf(userId)).toEqual({ status: 'unverified', last_used_at: null })
  })

  it('notes one rejection if several uses meet it at once', async () => {
    const userId = await someKeyUser(someKeyOf('bad'))
    const owner = await ownerOf(userId)
    const key = await readKey(owner, 'openai')
    if (key.state !== 'open') throw new Error('The slot is empty')
    const update = updateStatus(key.row, REJECTED)
    const event = { event: 'rejected_in_use', provider: 'openai' } as const
    expect(await record(owner, update, event)).toBe(true)
    expect(await record(owner, update, event)).toBe(false)
    const trail = "SELECT 1 FROM api_key_events WHERE user_id = ?1 AND event = 'rejected_in_use'"
    expect((await env.DB.prepare(trail).bind(userId).all()).results).toHaveLength(1)
  })

  it('of an accepted key does not undo a rejection that came meanwhile', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const key = await readKey(owner, 'openai')
    if (key.state !== 'open') throw new Error('The slot is empty')
    expect(key.status).toBe('unverified')
    expect(await record(owner, updateStatus(key.row, REJECTED), null)).toBe(true)
    const accepted = { status: 'active', at: REJECTED.at } as const
    expect(await record(owner, updateStatus(key.row, accepted), null)).toBe(false)
    expect(await rowOf(userId)).toMatchObject({ status: 'rejected' })
  })

  it('of a rejected key counts although the status changed meanwhile', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const key = await readKey(owner, 'openai')
    if (key.state !== 'open') throw new Error('The slot is empty')
    const accepted = { status: 'active', at: REJECTED.at } as const
    expect(await record(owner, updateStatus(key.row, accepted), null)).toBe(true)
    expect(await record(owner, updateStatus(key.row, REJECTED), null)).toBe(true)
    expect(await rowOf(userId)).toMatchObject({ status: 'rejected' })
  })

  it('is recorded with a changed status in one round trip', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    let trips = 0
    const DB = interceptD1(async (go) => {
      trips += 1
      return go()
    })
    const context = Object.assign(createExecutionContext(), { props: ALL })
    const vault = new KeyVault(context, { ...env, DB })
    const request = new Request(PATH, { method: 'POST' })
    const result = await vault.fetchWithApiKey(userId, 'openai', request)
    if (result.ok) await result.response.text()
    await waitOnExecutionContext(context)
    expect(await rowOf(userId)).toEqual({ status: 'active', last_used_at: time })
    // The others read the key, and write the first count of the hour.
    expect(trips).toBe(3)
  })

  it('is recorded although a check wrote the same status first', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const DB = lateD1(2, async () =>
      env.DB.prepare("UPDATE api_keys SET status = 'active' WHERE user_id = ?1").bind(userId).run(),
    )
    const context = Object.assign(createExecutionContext(), { props: ALL })
    const request = new Request(PATH, { method: 'POST' })
    const result = await new KeyVault(context, { ...env, DB }).fetchWithApiKey(
      userId,
      'openai',
      request,
    )
    if (result.ok) await result.response.text()
    await waitOnExecutionContext(context)
    expect(await rowOf(userId)).toEqual({ status: 'active', last_used_at: time })
  })

  it('of the last hour is not written again by a use that began before it', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const owner = await ownerOf(userId)
    const key = await readKey(owner, 'openai')
    if (key.state !== 'open') throw new Error('The slot is empty')
    const [at, before] = ['2026-01-01T12:00:00.000Z', '2026-01-01T11:00:00.000Z']
    const later = '2026-01-01T12:00:00.001Z'
    expect(await record(owner, updateUsed(key.row, { at, before }), null)).toBe(true)
    expect(await record(owner, updateUsed(key.row, { at: later, before }), null)).toBe(false)
    expect(await record(owner, updateUsed(key.row, { at: later, before: at }), null)).toBe(true)
  })

  it.for(['the key was rejected', 'the key was sealed again'])(
    'is right although %s during the use',
    async (change) => {
      const userId = await someKeyUser(someKeyOf(change.endsWith('rejected') ? 'good' : 'bad'))
      const column = change.endsWith('rejected') ? "status = 'rejected'" : "encrypted_api_key = ''"
      const DB = lateD1(2, async () =>
        env.DB.prepare(`UPDATE api_keys SET ${column} WHERE user_id = ?1`).bind(userId).run(),
      )
      const context = Object.assign(createExecutionContext(), { props: ALL })
      const vault = new KeyVault(context, { ...env, DB })
      const result = await vault.fetchWithApiKey(userId, 'openai', new Request(PATH))
      if (result.ok) await result.response.text()
      await waitOnExecutionContext(context)
      expect(await rowOf(userId)).toEqual({
        status: 'rejected',
        last_used_at: expect.stringMatching(/Z$/),
      })
    },
  )

  it('does not delay the response', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const never = new Promise<never>(() => {})
    const DB = lateD1(2, async () => never)
    const ctx = Object.assign(createExecutionContext(), { props: ALL })
    const request = new Request(PATH, { method: 'POST' })
    const result = await new KeyVault(ctx, { ...env, DB }).fetchWithApiKey(
      userId,
      'openai',
      request,
    )
    expect(result.ok && (await result.response.json())).toEqual({ data: [] })
  })
})

describe('getDecryptedApiKey', () => {
  const vault = bind({ caller: 'export', grants: ['reveal'] })

  it('returns the key of the named slot or the default slot, and null for an empty slot', async () => {
    const [one, other] = [someKeyOf('one'), someKeyOf('other')]
    expect(await vault.getDecryptedApiKey(await someKeyUser(one, 'default'))).toEqual({
      ok: true,
      apiKey: one,
    })
    const userId = await someKeyUser(other)
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual({ ok: true, apiKey: other })
    expect(await vault.getDecryptedApiKey(userId)).toEqual({ ok: true, apiKey: null })
    expect(await vault.getDecryptedApiKey('nobody')).toEqual({ ok: false, code: 'user_not_found' })
  })

  it('returns null and logs an error if the key does not open', async () => {
    const userId = await someKeyUser(someKeyOf('one'))
    await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
      .bind(userId)
      .run()
    const logs = recordLogs()
    expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual({ ok: true, apiKey: null })
    expect(logs.events()).toContainEqual(
      expect.objectContaining({ level: 'error', event: 'api_key_unreadable', user_id: userId }),
    )
  })
})

describe('the user methods of a binding', () => {
  const vault = bind({ caller: 'signup', grants: ['users'] })

  it('add, find and delete a user with all keys', async () => {
    const userId = `new-${crypto.randomUUID()}`
    expect(await vault.hasUser(userId)).toEqual({ ok: true, exists: false })
    expect(await vault.createUser(userId)).toEqual({ ok: true, created: true })
    expect(await vault.createUser(userId)).toEqual({ ok: true, created: false })
    expect(await vault.hasUser(userId)).toEqual({ ok: true, exists: true })
    await saveSlot(await ownerOf(userId), 'openai', { apiKey: 'sk', verify: false })
    expect(await vault.deleteUser(userId)).toEqual({ ok: true, deleted: true })
    expect(await vault.deleteUser(userId)).toEqual({ ok: true, deleted: false })
    expect(await rowOf(userId)).toBeNull()
    expect(await vault.createUser('')).toEqual({ ok: false, code: 'invalid_argument' })
    const odd: unknown = await Reflect.apply(vault.hasUser, vault, [10n])
    expect(odd).toEqual({ ok: false, code: 'invalid_argument' })
  })
})

describe('every call over a binding', () => {
  it('makes one round trip to D1 before the answer', async () => {
    // What is counted after the answer makes one, too.
    let counted = 0
    const userId = await someKeyUser(someKeyOf('good'))
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const waitUntil = () => void (counted += 1)
    const ctx = Object.assign(createExecutionContext(), { props: ALL, waitUntil })
    const vault = new KeyVault(ctx, { ...env, DB })
    const calls = [
      async () => vault.fetchWithApiKey(userId, 'acme', new Request(PATH)),
      async () => vault.getDecryptedApiKey(userId, 'openai'),
      async () => vault.listSlots(userId),
      async () => vault.listEvents(userId, { provider: 'openai' }),
      async () => vault.pauseKey(userId, 'openai'),
      async () => vault.deleteKey(userId, 'openai'),
      async () => vault.hasUser(userId),
      async () => vault.createUser(userId),
      async () => vault.deleteUser(userId),
    ]
    for (const [index, one] of calls.entries()) {
      await one()
      expect(trips - counted).toBe(index + 1)
    }
  })

  it('is logged with its caller, its user and its outcome, and never with the key', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const logs = recordLogs()
    const result = await bind(ALL).fetchWithApiKey(userId, 'openai', new Request(PATH))
    if (result.ok) await result.response.text()
    await bind(ALL).getDecryptedApiKey(userId, 'openai')
    const call = {
      level: 'info',
      event: 'binding_call',
      caller: 'chat',
      code: null,
      user_id: userId,
      provider: 'openai',
      request_id: expect.stringMatching(/^[\da-f-]{36}$/),
      duration_ms: expect.any(Number),
    }
    const use = { ...call, method: 'fetchWithApiKey', provider_status: 200 }
    expect(logs.events()).toContainEqual(use)
    expect(logs.events()).toContainEqual({ ...call, method: 'getDecryptedApiKey' })
    expect(logs.text()).not.toContain(key)
  })
})

describe('fetch(), which vaultFetch calls', () => {
  const send = async (headers: Record<string, string>, init: RequestInit = {}) => {
    const answer = await bind(ALL).fetch(PATH, { ...init, headers })
    return [answer.status, answer.headers.get('X-Vault-Error')]
  }

  it('uses the key of the user in its headers, whose id may be any text', async () => {
    const key = someKeyOf('good')
    const userId = await someUser(`Zoë/${crypto.randomUUID()}%`)
    await saveSlot(await ownerOf(userId), 'openai', { apiKey: key, verify: false })
    const headers = {
      'X-Vault-User': encodeURIComponent(userId),
      'X-Vault-Provider': 'openai',
      Authorization: 'Bearer in the vault',
    }
    expect(await send(headers)).toEqual([200, null])
    const [seen] = await seenByProvider(key)
    expect(seen?.headers).toMatchObject({ authorization: `Bearer ${key}` })
    expect(Object.keys(seen?.headers ?? {}).filter((name) => name.startsWith('x-vault'))).toEqual(
      [],
    )
  })

  it.for<[name: string, headers: Record<string, string>, status: number, code: string]>([
    ['no user', { 'X-Vault-Provider': 'openai' }, 400, 'invalid_argument'],
    ['no provider', { 'X-Vault-User': 'user' }, 400, 'invalid_argument'],
    [
      'a user id that is not percent-encoded',
      { 'X-Vault-User': '%', 'X-Vault-Provider': 'openai' },
      400,
      'invalid_argument',
    ],
    [
      'a user who does not exist',
      { 'X-Vault-User': 'nobody', 'X-Vault-Provider': 'openai' },
      404,
      'user_not_found',
    ],
    [
      'another provider than that of the URL',
      { 'X-Vault-User': 'user', 'X-Vault-Provider': 'gemini' },
      403,
      'origin_not_allowed',
    ],
  ])('refuses a request with %s', async ([, headers, status, code]) => {
    expect(await send(headers)).toEqual([status, code])
  })
})

describe('a WebSocket', () => {
  it('is refused by fetchWithApiKey, which cannot carry it', async () => {
    const key = someKeyOf('good')
    const userId = await someKeyUser(key)
    const request = new Request(PATH, { headers: { Upgrade: 'websocket' } })
    const refusal = { ok: false, code: 'upgrade_not_supported' }
    expect(await bind(ALL).fetchWithApiKey(userId, 'openai', request)).toEqual(refusal)
    expect(await seenByProvider(key)).toEqual([])
  })
})

describe('ALLOW_REVEAL', () => {
  const reveal = async (caller: string, ALLOW_REVEAL: string) => {
    const userId = await someKeyUser(someKeyOf('one'))
    const props = { caller, grants: ['reveal'] }
    const ctx = Object.assign(createExecutionContext(), { props })
    return (await new KeyVault(ctx, { ...env, ALLOW_REVEAL }).getDecryptedApiKey(userId, 'openai'))
      .ok
  }

  it.for([
    ['', 'export', false],
    ['false', 'export', false],
    ['true', 'export', true],
    ['other, export', 'export', true],
    ['other', 'export', false],
    ['exports', 'export', false],
  ] as const)('%j lets %s read keys: %s', async ([allowed, caller, expected]) => {
    expect(await reveal(caller, allowed)).toBe(expected)
  })
})

describe('a user id over a binding', () => {
  it.for(['.', '..', 'x'.repeat(2_001), '\uD800'])('is refused: %j', async (userId) => {
    expect(await bind(ALL).createUser(userId)).toEqual({ ok: false, code: 'invalid_argument' })
  })
})
