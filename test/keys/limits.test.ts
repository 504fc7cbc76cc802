/** What the owner of a key allows, over every door: a binding, `vaultFetch` and the relay. */

import { exports } from 'cloudflare:workers'
import { beforeEach, describe, expect, it } from 'vitest'
import { isExpired, keepLimits, shareLimits } from '../../src/keys/limits.ts'
import type { KeyRow } from '../../src/store/api-keys.ts'
import type { KeptLimits } from '../../src/store/limits.ts'
import { env } from '../isolate.ts'
import { call, mintToken, seenByProvider, stopClock } from '../support.ts'
import { bind, MODELS, someKeyOwner } from './key-owner.ts'

beforeEach(stopClock)

describe('a paused key', () => {
  it('a paused key is used over no door, and can be resumed', async () => {
    const { userId, apiKey, limit, shown, use, relay } = await someKeyOwner()
    const paused = await limit({ paused: true })
    expect(paused).toMatchObject({ status: 200, body: { has_api_key: true } })
    expect(paused.body['paused_at']).toMatch(/^20\d\d-/)
    expect(await shown()).toEqual(paused.body)
    expect(await use()).toBe('api_key_paused')
    const refusal = { ok: false, code: 'api_key_paused' }
    expect(await bind('export').getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    const headers = { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' }
    expect((await bind('chat').fetch(MODELS, { headers })).status).toBe(403)
    const relayed = await relay()
    expect([relayed.status, relayed.headers.get('X-Vault-Error')]).toEqual([403, 'api_key_paused'])
    expect(await seenByProvider(apiKey)).toEqual([])
    expect((await limit({ paused: false })).body).not.toHaveProperty('paused_at')
    expect(await use()).toBe('ok')
  })
})

describe('the callers that an owner allows', () => {
  it('no caller can use a key but those that its owner allows', async () => {
    const { userId, limit, use, relay } = await someKeyOwner()
    const callers = ['binding:chat', 'binding:batch']
    expect((await limit({ callers })).body['callers']).toEqual(callers)
    expect([await use('chat'), await use('batch'), await use('Chat'), await use('export')]).toEqual(
      ['ok', 'ok', 'caller_not_allowed', 'caller_not_allowed'],
    )
    const refusal = { ok: false, code: 'caller_not_allowed' }
    expect(await bind('export').getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
    expect((await relay()).headers.get('X-Vault-Error')).toBe('caller_not_allowed')
    await limit({ callers: ['relay:notebook'] })
    expect((await relay()).status).toBe(200)
    await limit({ callers: [] })
    expect([await use('chat'), (await relay()).status]).toEqual(['caller_not_allowed', 403])
    expect((await limit({ callers: null })).body).not.toHaveProperty('callers')
    expect(await use('export')).toBe('ok')
  })

  it.for([
    [['binding:notebook'], 'ok', 403],
    [['relay:notebook'], 'caller_not_allowed', 200],
    [['binding:notebook', 'relay:notebook'], 'ok', 200],
  ] as const)(
    'the list %j, of a bound Worker and a client of the relay with the same name: %s, %i',
    async ([callers, used, relayed]) => {
      const { limit, use, relay } = await someKeyOwner()
      await limit({ callers, max_uses: { count: 9, per: 'day' } })
      expect([await use('notebook'), (await relay()).status]).toEqual([used, relayed])
    },
  )

  it('an owner allows no more than the operator does', async () => {
    const { userId, limit } = await someKeyOwner()
    await limit({ callers: ['binding:chat'] })
    const vault = exports.KeyVault({ props: { caller: 'chat', grants: [] } })
    const result = await vault.fetchWithApiKey(userId, 'openai', new Request(MODELS))
    expect(result).toEqual({ ok: false, code: 'not_granted' })
  })

  it.for(['azp', 'cid', 'appid'])(
    'a client that its token names in %s is one of the callers',
    async (claim) => {
      const { userId, limit } = await someKeyOwner()
      await limit({ callers: ['relay:0oabc'] })
      const use = async (client: string) => {
        const token = await mintToken({ sub: userId, scope: 'relay', [claim]: client })
        return (await call('GET', '/relay/openai/v1/models', { token })).status
      }
      expect([await use('0oabc'), await use('0oxyz')]).toEqual([200, 403])
    },
  )

  it('a client whose token does not name it is not one of the callers', async () => {
    const { userId, limit } = await someKeyOwner()
    await limit({ callers: ['relay:null', 'binding:null'] })
    const token = await mintToken({ sub: userId, scope: 'relay' })
    const response = await call('GET', '/relay/openai/v1/models', { token })
    expect(response.headers.get('X-Vault-Error')).toBe('caller_not_allowed')
  })
})

const nextMidnight = () => new Date().setUTCHours(24, 0, 0, 0)

const nextMonth = () => {
  const now = new Date()
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1)
}

describe('a maximum number of uses', () => {
  it.for(['day', 'month'] as const)(
    'a maximum of uses per %s is exact, and says when it ends',
    async (per) => {
      const { userId, limit, use, relay, shown } = await someKeyOwner()
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
      const result = await bind('chat').fetchWithApiKey(userId, 'openai', new Request(MODELS))
      expect(result).toEqual({ ok: false, code: 'limit_reached', retryAfter: expect.any(Number) })
      await limit({ max_uses: null })
      expect(await use()).toBe('ok')
    },
  )

  it('uses are counted anew in the next period', async () => {
    const { userId, limit, use, shown } = await someKeyOwner()
    await limit({ max_uses: { count: 1, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    const earlier = "UPDATE api_keys SET uses_in = '2026-01-01' WHERE user_id = ?1"
    await env.DB.prepare(earlier).bind(userId).run()
    expect(await shown()).toMatchObject({ max_uses: { used: 0 } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
  })

  it('uses stay counted when the maximum changes, and are counted anew by another period', async () => {
    const { limit, use } = await someKeyOwner()
    await limit({ max_uses: { count: 1, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    await limit({ max_uses: { count: 2, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    await limit({ max_uses: { count: 1, per: 'month' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
    await limit({ max_uses: { count: 1, per: 'day' } })
    expect([await use(), await use()]).toEqual(['ok', 'limit_reached'])
  })

  it('a maximum of 0 allows no use, and a refused use is not counted', async () => {
    const { limit, use, shown } = await someKeyOwner()
    await limit({ max_uses: { count: 0, per: 'day' } })
    expect(await use()).toBe('limit_reached')
    await limit({ max_uses: { count: 1, per: 'day' }, callers: ['binding:batch'] })
    expect(await use()).toBe('caller_not_allowed')
    expect(await shown()).toMatchObject({ max_uses: { used: 0 } })
    expect(await use('batch')).toBe('ok')
  })

  it('a maximum of 10 lets exactly 10 of 100 concurrent uses through', async () => {
    const { limit, use, apiKey } = await someKeyOwner()
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

it.for<[expiresAt: string | null, expired: boolean]>([
  [null, false],
  ['2026-11-25T12:00:00.001Z', false],
  ['2026-11-25T12:00:00.000Z', true],
  ['2026-11-25T11:59:59.999Z', true],
])('a key with expires_at %j has expired at noon: %s', ([expiresAt, expired]) => {
  expect(isExpired(expiresAt, Date.parse('2026-11-25T12:00:00.000Z'))).toBe(expired)
})

const NO_LIMITS: KeptLimits = {
  pausedAt: null,
  callers: null,
  expiresAt: null,
  maxUses: null,
  maxUsesPer: null,
  uses: 0,
  usesIn: null,
}

/** A key with these limits. */
const rowWith = (limits: Partial<KeptLimits>): KeyRow => ({
  userId: 'jane',
  provider: 'openai',
  identity: '0123abcd',
  maxUsesPerMember: null,
  maxUsesPerMemberPer: null,
  revision: 1,
  position: 0,
  sealed: 'v1.x',
  exhaustedAt: null,
  kid: 'any',
  savedBy: null,
  updatedAt: '2026-01-01T00:00:00.000Z',
  status: 'active',
  lastUsedAt: null,
  lastVerifiedAt: null,
  ...NO_LIMITS,
  ...limits,
})

const NOON = '2026-11-25T12:00:00.000Z'
const [EARLIER, LATER] = ['2026-11-25T11:00:00.000Z', '2026-11-25T13:00:00.000Z']
const LAST = '2026-11-26T00:00:00.000Z'
const [DAY, MONTH] = ['2026-11-25', '2026-11']

/** The uses of a day or a month. */
const daily = (maxUses: number, uses = 0, usesIn: string | null = DAY) =>
  ({ maxUses, maxUsesPer: 'day', uses, usesIn }) as const
const monthly = (maxUses: number, uses = 0, usesIn: string | null = MONTH) =>
  ({ maxUses, maxUsesPer: 'month', uses, usesIn }) as const

/** The limits of a key that stays, of one that goes, and those that the first one keeps. */
const KEPT: [
  name: string,
  kept: Partial<KeptLimits>,
  gone: Partial<KeptLimits>,
  limits: Partial<KeptLimits>,
][] = [
  ['no limits', {}, {}, {}],
  ['a pause of its own', { pausedAt: EARLIER }, {}, { pausedAt: EARLIER }],
  ['the other pause', {}, { pausedAt: LATER }, { pausedAt: LATER }],
  ['its own pause of two', { pausedAt: LATER }, { pausedAt: EARLIER }, { pausedAt: LATER }],
  ['its own callers', { callers: '["a"]' }, {}, { callers: '["a"]' }],
  ['the other callers', {}, { callers: '["a"]' }, { callers: '["a"]' }],
  [
    'the callers in both lists',
    { callers: '["a","b"]' },
    { callers: '["c","b"]' },
    { callers: '["b"]' },
  ],
  ['no callers', { callers: '["a"]' }, { callers: '["b"]' }, { callers: '[]' }],
  ['no callers beside a list', { callers: '[]' }, { callers: '["b"]' }, { callers: '[]' }],
  ['its own expiry', { expiresAt: LATER }, {}, { expiresAt: LATER }],
  ['its own past expiry', { expiresAt: EARLIER }, {}, { expiresAt: EARLIER }],
  ['the other expiry', {}, { expiresAt: LATER }, { expiresAt: LATER }],
  ['the earlier expiry', { expiresAt: LAST }, { expiresAt: LATER }, { expiresAt: LATER }],
  ['its own earlier expiry', { expiresAt: LATER }, { expiresAt: LAST }, { expiresAt: LATER }],
  ['no past expiry of the other', {}, { expiresAt: EARLIER }, {}],
  [
    'its own expiry beside a past one',
    { expiresAt: LAST },
    { expiresAt: NOON },
    { expiresAt: LAST },
  ],
  ['its own maximum', daily(5, 2), {}, daily(5, 2)],
  ['the other maximum', {}, daily(5, 2), daily(5, 2)],
  ['the other maximum before uses without one', { uses: 9, usesIn: DAY }, daily(5, 2), daily(5, 2)],
  ['the lower maximum and all uses', daily(5, 2), daily(3, 1), daily(3, 3)],
  ['its own lower maximum', daily(3, 2), daily(5, 1), daily(3, 3)],
  ['a maximum of 0', daily(0), monthly(9, 4), monthly(0, 4)],
  ['the uses of the later day', daily(5, 4, '2026-11-24'), daily(5, 1), daily(5, 1)],
  ['its own uses of the later day', daily(5, 1), daily(5, 4, '2026-11-24'), daily(5, 1)],
  ['uses of one that was used', daily(5, 0, null), daily(5, 1), daily(5, 1)],
  ['no uses of two', daily(5, 0, null), daily(4, 0, null), daily(4, 0, null)],
  ['the month of two periods', daily(5, 2), monthly(90, 40), monthly(5, 42)],
  ['its own month of two periods', monthly(90, 40), daily(5, 2), monthly(5, 42)],
  ['the lower maximum of two months', monthly(9, 4), monthly(7, 2), monthly(7, 6)],
  ['the uses of the later month', monthly(9, 4, '2026-10'), monthly(9, 2), monthly(9, 2)],
  [
    'all limits of the other',
    {},
    { pausedAt: EARLIER, callers: '[]', expiresAt: LATER, ...daily(1, 1) },
    { pausedAt: EARLIER, callers: '[]', expiresAt: LATER, ...daily(1, 1) },
  ],
]

it.for(KEPT)('a key that takes the place of another one keeps %s', ([, kept, gone, limits]) => {
  const expected = { ...NO_LIMITS, ...limits }
  expect(keepLimits(rowWith(kept), rowWith(gone), Date.parse(NOON))).toEqual(expected)
})

it.for<
  [name: string, used: Partial<KeptLimits>, other: Partial<KeptLimits>, shared: object | null]
>([
  ['nothing to do without limits', {}, {}, null],
  ['nothing to do with the same limits', { pausedAt: NOON }, { pausedAt: NOON }, null],
  ['nothing to do after more uses', daily(5, 3), daily(5), null],
  ['a pause', {}, { pausedAt: NOON }, { pausedAt: NOON }],
  ['its own pause', { pausedAt: NOON }, {}, { pausedAt: NOON }],
  ['the callers', { callers: '["a"]' }, { callers: '["a","b"]' }, { callers: '["a"]' }],
  ['a past expiry', {}, { expiresAt: EARLIER }, { expiresAt: EARLIER }],
  ['the earlier expiry', { expiresAt: EARLIER }, { expiresAt: LATER }, { expiresAt: EARLIER }],
  ['the maximum', daily(5, 3), daily(4, 1), daily(4, 4)],
  ['the period', daily(5, 3), monthly(5, 1), monthly(5, 4)],
])('two keys of a slot that stay share %s', ([, used, other, shared]) => {
  const expected = shared === null ? null : { ...NO_LIMITS, ...shared }
  expect(shareLimits(rowWith(used), rowWith(other))).toEqual(expected)
})
