/** What the owner of a key allows, over every door: a binding, `vaultFetch` and the relay. */

import { exports } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { isExpired } from '../../src/keys/limits.ts'
import { env } from '../isolate.ts'
import { call, mintToken, seenByProvider } from '../support.ts'
import { bind, MODELS, someKeyOwner } from './key-owner.ts'

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
