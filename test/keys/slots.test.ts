/** A user's slots over HTTP: the list, a look at a key, and its deletion. */

import { describe, expect, it } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { listSlots, setLimits } from '../../src/keys/slots.ts'
import { env } from '../isolate.ts'
import {
  call,
  keyPath,
  mintToken,
  ownerOf,
  recordLogs,
  slotPath,
  someEncryptionKey,
  someUser,
  someKeyUser,
} from '../support.ts'
import { listPath, someKeyOf, someOwner, someKeyOwner } from './key-owner.ts'
import { requireOpen } from '../../src/keys/stored-key.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { tagOf } from '../../src/store/slot-check.ts'

const time = expect.stringMatching(/^20\d\d-\d\d-\d\dT[\d:.]{12}Z$/)
const etag = expect.stringMatching(/^"[0-9a-f]{32}\.[1-9]\d*"$/)

describe('a slot', () => {
  it('a slot answers like the plain route, with its provider and its status', async () => {
    const { userId, put, get, remove } = await someOwner()
    expect(await get('openai')).toEqual({
      status: 200,
      body: { provider: 'openai', has_api_key: false },
    })
    const apiKey = someKeyOf('good')
    const last4 = { api_key_last4: apiKey.slice(-4) }
    const key = { api_key_preview: 'sk-good-...', ...last4, api_key_updated_at: time, etag }
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

  it('each slot holds a key of its own, which opens in no other slot', async () => {
    const { userId, put, putPlain, get, stored } = await someOwner()
    await put('openai', 'sk-one', '?verify=false')
    await put('acme', 'sk-two', '?verify=false')
    await putPlain('sk-plain-three')
    expect([await stored('openai'), await stored('acme'), await stored('default')]).toEqual([
      'sk-one',
      'sk-two',
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
        etag,
      },
    })
  })

  it('a slot and the list say that the encryption key is missing', async () => {
    recordLogs()
    const { userId, token, put } = await someOwner()
    await put('openai', someKeyOf('good'), '?verify=false')
    const options = { token, env: { API_KEY_ENCRYPTION_KEY: someEncryptionKey() } }
    const slot = await call('GET', slotPath(userId, 'openai'), options)
    expect(await slot.json()).toEqual({
      provider: 'openai',
      has_api_key: false,
      error: 'Invalid encrypted key',
      reason: 'encryption_key_missing',
      etag,
    })
    const list = await call('GET', listPath(userId), options)
    expect(await list.text()).toContain('"reason":"encryption_key_missing"')
  })

  it.for(['nobody', 'constructor', '__proto__', 'OpenAI', 'openai%20'])(
    'each operation answers 404 with the known providers for the unknown provider %s',
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

  it('the plain route answers none of the fields that slots have', async () => {
    const { userId, token, getPlain } = await someOwner()
    const options = { token, body: { api_key: 'sk-bad-plain' } }
    const saved: object = await (await call('PUT', keyPath(userId), options)).json()
    expect(Object.keys(saved)).toEqual(['message', 'user_id', 'user'])
    const { body } = await getPlain()
    expect(Object.keys(body)).toEqual([
      'has_api_key',
      'api_key_preview',
      'api_key_updated_at',
      'etag',
    ])
  })
})

describe('the refusals of a slot', () => {
  const OPERATIONS = [
    ['a save', 'PUT', ''],
    ['a look', 'GET', ''],
    ['a deletion', 'DELETE', ''],
    ['a check', 'POST', '/verify'],
  ] as const

  it.for(OPERATIONS)('%s needs a token, and that of its user', async ([, method, suffix]) => {
    const path = slotPath(await someUser(), 'openai') + suffix
    const token = await mintToken({ sub: await someUser() })
    expect((await call(method, path)).status).toBe(401)
    expect((await call(method, path, { token })).status).toBe(403)
  })

  it('the list needs the token of its user', async () => {
    const token = await mintToken({ sub: await someUser() })
    expect((await call('GET', listPath(await someUser()), { token })).status).toBe(403)
  })

  it.for<[name: string, method: string, path: (userId: string) => string, body?: object]>([
    ['a save', 'PUT', (userId) => slotPath(userId, 'openai'), { api_key: 'sk-good-1' }],
    ['a look', 'GET', (userId) => slotPath(userId, 'openai')],
    ['the list', 'GET', listPath],
  ])('%s answers 404 for a user who does not exist', async ([, method, pathOf, body]) => {
    const userId = `absent-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId })
    expect((await call(method, pathOf(userId), { token, body })).status).toBe(404)
  })

  it.for<[status: number, name: string, method: string, suffix: string, body?: object]>([
    [400, 'a body without a key', 'PUT', '', { apiKey: 'x' }],
    [400, 'a save with verify=maybe', 'PUT', '?verify=maybe', { api_key: 'x' }],
    [400, 'an assignment with verify=maybe', 'POST', '/assign?verify=maybe'],
    [405, 'a method that it does not have', 'POST', ''],
  ])('a slot answers %i to %s', async ([status, , method, suffix, body]) => {
    const userId = `absent-${crypto.randomUUID()}`
    const token = await mintToken({ sub: userId })
    const path = slotPath(userId, 'openai') + suffix
    expect((await call(method, path, { token, body })).status).toBe(status)
  })
})

describe('the list', () => {
  it('the list has each slot, also those without a key', async () => {
    const { userId, put, putPlain, list } = await someOwner()
    await put('openai', 'sk-good-one')
    await putPlain('sk-plain-three')
    const { status, body } = await list()
    expect(status).toBe(200)
    expect(body).toMatchObject({ user_id: userId })
    const slots = body['api_keys']
    if (!Array.isArray(slots)) throw new TypeError('No list')
    expect(slots.map(({ provider }) => provider).join(' ')).toBe(
      'default openai anthropic gemini openrouter mistral groq deepseek xai cohere together ' +
        'perplexity huggingface replicate github acme own',
    )
    const key = { has_api_key: true, api_key_updated_at: time, etag }
    const times = { last_used_at: null, last_verified_at: null }
    expect(slots.slice(0, 3)).toEqual([
      {
        label: null,
        key_page: null,
        key_prefixes: [],
        provider: 'default',
        ...key,
        api_key_preview: 'sk-plain...',
        status: 'unverified',
        ...times,
      },
      {
        label: 'OpenAI',
        key_page: 'https://platform.openai.com/api-keys',
        key_prefixes: ['sk-proj-', 'sk-svcacct-', 'sk-'],
        billing_page: 'https://platform.openai.com/settings/organization/billing/overview',
        provider: 'openai',
        ...key,
        api_key_preview: 'sk-good-...',
        position: 0,
        status: 'active',
        ...times,
      },
      {
        label: 'Anthropic',
        key_page: 'https://platform.claude.com/settings/keys',
        key_prefixes: ['sk-ant-'],
        billing_page: 'https://platform.claude.com/settings/billing',
        provider: 'anthropic',
        has_api_key: false,
      },
    ])
  })

  it('the list has the slot of a removed provider, whose key can be deleted', async () => {
    const { userId, put, list, remove } = await someOwner()
    await put('acme', 'sk-acme-one', '?verify=false')
    await env.DB.prepare("UPDATE api_keys SET provider = 'gone' WHERE user_id = ?1")
      .bind(userId)
      .run()
    recordLogs()
    const { body } = await list()
    expect(body['api_keys']).toContainEqual({
      label: null,
      key_page: null,
      key_prefixes: [],
      position: 0,
      provider: 'gone',
      has_api_key: false,
      error: 'Invalid encrypted key',
      reason: 'cannot_be_decrypted',
      etag,
    })
    expect((await remove('gone')).status).toBe(200)
    expect((await remove('gone')).status).toBe(404)
  })

  it('the list of a user without keys has each provider’s slot, and no other', async () => {
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
  ])('the list shows the later of two keys of a slot: %s', async ([, plain, own, shown]) => {
    const userId = await someUser()
    const owner = await ownerOf(userId)
    await saveSlot(owner, 'default', { apiKey: 'sk-plain', verify: false })
    await saveSlot(owner, 'openai', { apiKey: 'sk-own', verify: false })
    const date = env.DB.prepare(
      'UPDATE api_keys SET updated_at = ?3 WHERE user_id = ?1 AND provider = ?2',
    )
    await env.DB.batch([date.bind(userId, 'default', plain), date.bind(userId, 'openai', own)])
    const slots = await listSlots(await ownerOf(userId, { ...env, DEFAULT_PROVIDER: 'openai' }))
    expect(slots.find(({ name }) => name === 'openai')?.key).toMatchObject({ apiKey: shown })
    expect(slots.map(({ name }) => name)).not.toContain('default')
  })

  it.for([
    [20, true],
    [19, false],
  ] as const)('the list says where a key of %i characters is too: %s', async ([length, isSaid]) => {
    const apiKey = crypto.randomUUID().slice(0, length)
    const { userId, put, putPlain, list } = await someOwner()
    await put('openai', apiKey, '?verify=false')
    await put('acme', apiKey, '?verify=false')
    await put('anthropic', `${apiKey.slice(1)}x`, '?verify=false')
    await putPlain(apiKey)
    const slots = (await listSlots(await ownerOf(userId))).filter(({ sameIn }) => sameIn.length > 0)
    const same = Object.fromEntries(slots.map(({ name, sameIn }) => [name, sameIn.toSorted()]))
    const expected = {
      default: ['acme', 'openai'],
      openai: ['acme', 'default'],
      acme: ['default', 'openai'],
    }
    expect(same).toEqual(isSaid ? expected : {})
    const { body } = await list()
    expect(JSON.stringify(body).includes('same_key_in')).toBe(isSaid)
  })
})

it('changes only the limits that the body has', async () => {
  const { limit, shown } = await someKeyOwner()
  await limit({ paused: true, callers: ['binding:chat'], max_uses: { count: 5, per: 'month' } })
  await limit({ expires_at: '2999-01-01T00:00:00+01:00' })
  expect(await shown()).toMatchObject({
    paused_at: expect.any(String),
    callers: ['binding:chat'],
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

it('limits the key of the plain route', async () => {
  const { putPlain, limit } = await someOwner()
  await putPlain(someKeyOf('good'))
  expect(await limit('default', { paused: true })).toMatchObject({
    status: 200,
    body: { provider: 'default', paused_at: expect.any(String) },
  })
})

it('limits a key that does not open, in the slot of a removed provider', async () => {
  recordLogs()
  const { userId, request } = await someKeyOwner()
  const rename = "UPDATE api_keys SET provider = 'gone' WHERE user_id = ?1"
  await env.DB.prepare(rename).bind(userId).run()
  expect(await request('PATCH', slotPath(userId, 'gone'), { paused: true })).toMatchObject({
    status: 200,
    body: { error: 'Invalid encrypted key' },
  })
})

it.for<[kinds: string[], changes: NewLimits[]]>([
  [['paused'], [{ isPaused: true }]],
  [
    ['paused', 'resumed'],
    [{ isPaused: true }, { isPaused: false }],
  ],
  [['limits_changed'], [{ callers: ['binding:chat'] }]],
  [['limits_changed'], [{ maxUses: { count: 5, per: 'day' } }]],
  [['limits_changed'], [{ expiresAt: '2999-01-01T00:00:00.000Z' }]],
  [['paused'], [{ isPaused: true, callers: ['binding:chat'] }]],
  [['paused'], [{ isPaused: true, callers: null }]],
  [
    ['paused', 'resumed'],
    [{ isPaused: true }, { isPaused: false, maxUses: { count: 5, per: 'day' } }],
  ],
  [
    ['limits_changed', 'paused'],
    [{ isPaused: true }, { isPaused: true, callers: ['binding:chat'] }],
  ],
])('the trail has the events %j of the changes %j', async ([kinds, changes]) => {
  const userId = await someKeyUser(someKeyOf('good'))
  const owner = await ownerOf(userId)
  for (const limits of changes) await setLimits(owner, 'openai', { condition: null, ...limits })
  expect(await eventsOf(userId)).toEqual(kinds)
})

/** The kinds of the events of limits, in the order of the alphabet. */
async function eventsOf(userId: string) {
  const trail = `SELECT event FROM api_key_events WHERE user_id = ?1 AND event <> 'saved'
    ORDER BY event`
  const { results } = await env.DB.prepare(trail).bind(userId).all()
  return results.map(({ event }) => event)
}

it.for<[change: NewLimits, before?: NewLimits]>([
  [{ maxUses: null }],
  [{ callers: null }],
  [{ expiresAt: null }],
  [{ isPaused: false }],
  [{ isPaused: false, callers: null, maxUses: null, expiresAt: null }],
  [{ isPaused: true }, { isPaused: true }],
  [{ callers: ['binding:chat'] }, { callers: ['binding:chat'] }],
  [{ maxUses: { count: 5, per: 'day' } }, { maxUses: { count: 5, per: 'day' } }],
  [{ expiresAt: '2999-01-01T00:00:00.000Z' }, { expiresAt: '2999-01-01T00:00:00.000Z' }],
])('the change %j changes nothing after %j: no event, and the same tag', async (changes) => {
  const [change, before = {}] = changes
  const userId = await someKeyUser(someKeyOf('good'))
  const owner = await ownerOf(userId)
  const { row } = requireOpen(await setLimits(owner, 'openai', { condition: null, ...before }))
  const seen = await eventsOf(userId)
  const after = requireOpen(await setLimits(owner, 'openai', { condition: null, ...change }))
  expect(after.tag).toBe(tagOf(row))
  expect(await eventsOf(userId)).toEqual(seen)
})

it('the second of two changes with one tag is refused', async () => {
  const { userId, token, limit, shown } = await someKeyOwner()
  const tag = String((await shown())['etag'])
  const change = async (body: object) =>
    call('PATCH', slotPath(userId, 'openai'), { token, body, headers: { 'If-Match': tag } })
  const first = await change({ callers: ['binding:one'] })
  expect([first.status, (await change({ callers: ['binding:two'] })).status]).toEqual([200, 412])
  expect(first.headers.get('ETag')).not.toBe(tag)
  expect(await shown()).toMatchObject({
    callers: ['binding:one'],
    etag: first.headers.get('ETag'),
  })
  expect((await limit({ callers: null })).status).toBe(200)
})

it('refuses an empty slot, an unknown provider, an unknown user and another user’s slot', async () => {
  const { userId, request, limit } = await someKeyOwner()
  const paused = { paused: true }
  const empty = await request('PATCH', slotPath(userId, 'acme'), paused)
  expect(empty.body['code']).toBe('no_api_key')
  const unknown = await request('PATCH', slotPath(userId, 'unknown'), paused)
  expect(unknown.body['code']).toBe('unknown_provider')
  expect((await request('PATCH', slotPath('other', 'openai'), paused)).status).toBe(403)
  await env.DB.prepare('DELETE FROM users WHERE id = ?1').bind(userId).run()
  expect((await limit(paused)).body['code']).toBe('user_not_found')
})

it('a body that is refused changes nothing', async () => {
  const { limit, shown } = await someKeyOwner()
  const before = await shown()
  expect((await limit({ paused: true, callers: 'binding:chat' })).status).toBe(400)
  expect(await shown()).toEqual(before)
})

it('changes nothing if the key is not the one that If-Match names', async () => {
  const { userId, token, shown } = await someKeyOwner()
  const headers = { 'If-Match': '"0123abcd.1"' }
  const path = slotPath(userId, 'openai')
  const response = await call('PATCH', path, { token, headers, body: { paused: true } })
  expect(response.status).toBe(412)
  expect(await shown()).not.toHaveProperty('paused_at')
})
