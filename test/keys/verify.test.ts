/** The check of a stored key, at its owner's request: `POST …/verify`. */

import { expect, it, vi, describe } from 'vitest'
import { saveSlot } from '../../src/keys/save.ts'
import { record } from '../../src/keys/key-state.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import type { NewLimits } from '../../src/store/limits.ts'
import { env } from '../isolate.ts'
import {
  ownerOf,
  recordLogs,
  seenByProvider,
  someKeyUser,
  interceptD1,
  storedKey,
  tightLimiter,
} from '../support.ts'
import { someKeyOf, someOwner } from './key-owner.ts'
import { readSlot, setLimits } from '../../src/keys/slots.ts'
import { updateState } from '../../src/store/api-keys.ts'

const time = expect.stringMatching(/^20\d\d-.*Z$/)

it.for([
  ['good', 'accepted', 'active', time],
  ['bad', 'refused', 'rejected', time],
  ['busy', 'unknown', 'unverified', null],
] as const)(
  'a check of a %s key answers and records %s: the key is %s, and not used',
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

it('a rejection that comes during a check stays, although the check accepts the key', async () => {
  const { userId, put, verify, get } = await someOwner()
  await put('openai', someKeyOf('good'), '?verify=false')
  const send = fetch
  vi.spyOn(globalThis, 'fetch').mockImplementationOnce(async (...request) => {
    const response = await send(...request)
    const reject = "UPDATE api_keys SET status = 'rejected' WHERE user_id = ?1"
    await env.DB.prepare(reject).bind(userId).run()
    return response
  })
  expect(await verify('openai')).toMatchObject({ body: { status: 'rejected', verdict: null } })
  expect(await get('openai')).toMatchObject({ body: { status: 'rejected' } })
})

it('answers a null verdict if another check was recorded meanwhile', async () => {
  const { userId, put, verify } = await someOwner()
  await put('openai', someKeyOf('good'), '?verify=false')
  const send = fetch
  vi.spyOn(globalThis, 'fetch').mockImplementationOnce(async (...request) => {
    await verifySlot(await ownerOf(userId), 'openai')
    return send(...request)
  })
  expect(await verify('openai')).toMatchObject({ body: { status: 'active', verdict: null } })
})

it('a key that was rejected before a check is active after one that accepts it', async () => {
  const { userId, put, verify } = await someOwner()
  await put('openai', someKeyOf('good'), '?verify=false')
  const reject = "UPDATE api_keys SET status = 'rejected' WHERE user_id = ?1"
  await env.DB.prepare(reject).bind(userId).run()
  expect(await verify('openai')).toMatchObject({ body: { status: 'active', verdict: 'accepted' } })
})

it.for<[code: string, limits: NewLimits]>([
  ['api_key_paused', { isPaused: true }],
  ['api_key_expired', { expiresAt: '2020-01-01T00:00:00.000Z' }],
])('a check does not send a key to its provider: %s', async ([code, limits]) => {
  const key = someKeyOf('good')
  const owner = await ownerOf(await someKeyUser(key))
  await setLimits(owner, 'openai', { condition: null, ...limits })
  await expect(verifySlot(owner, 'openai')).rejects.toMatchObject({ code })
  expect(await seenByProvider(key)).toEqual([])
})

it('answers a null verdict for an empty slot', async () => {
  const { verify } = await someOwner()
  const body = { provider: 'openai', has_api_key: false, verdict: null }
  expect((await verify('openai')).body).toEqual(body)
})

it('answers a null verdict for a key without a provider', async () => {
  const { putPlain, verify } = await someOwner()
  await putPlain('sk-plain')
  expect((await verify('default')).body).toMatchObject({ has_api_key: true, verdict: null })
})

it('answers a null verdict for a key that does not open', async () => {
  recordLogs()
  const { userId, put, verify } = await someOwner()
  await put('openai', 'sk-good-1', '?verify=false')
  await env.DB.prepare("UPDATE api_keys SET encrypted_api_key = 'x' WHERE user_id = ?1")
    .bind(userId)
    .run()
  const body = { error: 'Invalid encrypted key', verdict: null }
  expect((await verify('openai')).body).toMatchObject(body)
})

describe('the request to a provider', () => {
  it('asks a provider with the key in its header, on the path of its probe', async () => {
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

  it('does not follow a redirect with the key in it', async () => {
    const { put } = await someOwner()
    const key = someKeyOf('moved')
    await put('openai', key)
    expect(await seenByProvider(key)).toHaveLength(1)
  })

  it.for([
    ['?verify=false', {}, '?verify=false', false],
    ['VERIFY_ON_SAVE = "false"', { VERIFY_ON_SAVE: 'false' }, '', false],
    ['?verify=true before VERIFY_ON_SAVE', { VERIFY_ON_SAVE: 'false' }, '?verify=true', true],
  ] as const)('%s decides whether a provider is asked', async ([, changes, query, isAsked]) => {
    const { put } = await someOwner({ vault: changes })
    const key = someKeyOf('bad')
    expect((await put('openai', key, query)).status).toBe(isAsked ? 422 : 200)
    expect(await seenByProvider(key)).toHaveLength(isAsked ? 1 : 0)
  })
})

describe('the verdict', () => {
  it.for([
    ['an ambiguous 401', 'openai', 'scope', 'HTTP 401'],
    ['a 403', 'openai', 'region', 'HTTP 403'],
    ['a 429', 'openai', 'busy', 'HTTP 429'],
    ['a 500', 'openai', 'down', 'HTTP 500'],
    ['a redirect', 'openai', 'moved', 'HTTP 307'],
    ['no connection', 'mistral', 'good', expect.stringMatching(/Error$/)],
    ['a 401 of a provider without refusals', 'acme', 'bad', 'HTTP 401'],
  ] as const)('a key is saved as unverified after %s', async ([, provider, kind, reason]) => {
    const logs = recordLogs()
    const { put, stored } = await someOwner()
    const key = someKeyOf(kind)
    const user = { status: 'unverified' }
    expect(await put(provider, key)).toMatchObject({ status: 200, body: { user } })
    expect(await stored(provider)).toBe(key)
    expect(logs.events()).toContainEqual(expect.objectContaining({ verdict: 'unknown', reason }))
  })

  it('a key is saved as unverified if its provider does not answer within 5 s', async () => {
    const logs = recordLogs()
    const { put, stored } = await someOwner()
    const key = someKeyOf('hang')
    const timeout = AbortSignal.timeout.bind(AbortSignal)
    const limit = vi.spyOn(AbortSignal, 'timeout').mockImplementation(() => timeout(20))
    const user = { status: 'unverified' }
    expect(await put('openai', key)).toMatchObject({ status: 200, body: { user } })
    expect(await stored('openai')).toBe(key)
    const trial = { verdict: 'unknown', reason: 'TimeoutError' }
    expect(logs.events()).toContainEqual(expect.objectContaining(trial))
    expect(limit).toHaveBeenCalledExactlyOnceWith(5_000)
  })

  it('a key is rejected by the part of an answer that arrived before it broke off', async () => {
    const { put } = await someOwner()
    expect((await put('openai', someKeyOf('torn'))).status).toBe(422)
  })
})

describe('PROBE_LIMITER', () => {
  const TIGHT = { PROBE_LIMITER: tightLimiter() }

  it('a provider without a probe is not asked, and no check of its keys is counted', async () => {
    const probeless = { label: 'Acme', origin: 'http://localhost', header: 'x-key', refusals: [] }
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const vault = { ...env, ...TIGHT, DB, PROVIDERS: { acme: probeless } }
    const { userId, put, verify } = await someOwner({ vault })
    const key = someKeyOf('good')
    for (const saves of [1, 2, 3]) {
      expect((await put('acme', key, '?verify=true')).status).toBe(200)
      expect(trips).toBe(saves)
    }
    expect(await storedKey(userId, env, 'acme')).toBe(key)
    for (const _ of [1, 2, 3]) {
      expect(await verify('acme')).toMatchObject({ status: 200, body: { verdict: 'unknown' } })
    }
    expect(await seenByProvider(key)).toEqual([])
  })

  it('checks are limited by themselves, so a save without a check still works', async () => {
    const { put, get, verify, stored } = await someOwner({ vault: TIGHT })
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
    expect(await stored('openai')).toBe(fourth)
  })
})

it('the trail has an event of a verdict that changed the key, and none of one that did not', async () => {
  const userId = await someKeyUser(someKeyOf('bad'))
  const owner = await ownerOf(userId)
  const key = await readSlot(owner, 'openai')
  if (key.state !== 'open') throw new Error('The slot is empty')
  const update = updateState(key.row, {
    status: 'rejected',
    exhaustedAt: null,
    at: '2026-01-01T12:00:00.000Z',
  })
  const event = { event: 'rejected_in_use', providerStatus: 401 } as const
  const noted = { provider: 'openai', events: [event] }
  expect(await record(owner, update, noted)).toBe(true)
  expect(await record(owner, update, noted)).toBe(false)
  const trail = `SELECT actor, provider_status FROM api_key_events
    WHERE user_id = ?1 AND event = 'rejected_in_use'`
  const { results } = await env.DB.prepare(trail).bind(userId).all()
  expect(results).toEqual([{ actor: 'owner', provider_status: 401 }])
})
