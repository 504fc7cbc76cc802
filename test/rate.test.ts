/** Limits of requests. `CALLER_LIMITER` counts the uses of keys by one caller over a binding and the relay. */

import { createExecutionContext } from 'cloudflare:test'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { KeyVault } from '../src/binding/key-vault.ts'
import { requireRate, requireStrictRate } from '../src/rate.ts'
import { env } from './isolate.ts'
import { call, mintToken, recordLogs, someKeyUser, tightLimiter } from './support.ts'
import { MODELS, someKeyOf } from './keys/key-owner.ts'

const UNHEALTHY = {
  code: 'unhealthy',
  detail: 'The rate limiter did not answer.',
  retryAfter: 5,
}

describe('a rate limiter', () => {
  afterEach(() => vi.useRealTimers())

  it('refuses a request that its limiter refuses, and says when to try again', async () => {
    const limit = vi.fn<RateLimit['limit']>(async () => ({ success: false }))
    await expect(requireRate({ limit }, 'jane')).rejects.toMatchObject({
      code: 'rate_limited',
      retryAfter: 60,
    })
    expect(limit).toHaveBeenCalledExactlyOnceWith({ key: 'jane' })
  })

  it('lets a request pass that its limiter allows, or if there is no limiter', async () => {
    const logs = recordLogs()
    const limiter = { limit: async () => ({ success: true }) }
    await expect(requireRate(limiter, 'jane')).resolves.toBeUndefined()
    await expect(requireRate(null, 'jane')).resolves.toBeUndefined()
    expect(logs.text()).toBe('')
  })

  it.for<[name: string, limit: () => Promise<RateLimitOutcome>]>([
    ['fails', async () => Promise.reject(new Error('limiter is down'))],
    [
      'throws at once',
      () => {
        throw new Error('limiter is down')
      },
    ],
    ['never answers', async () => new Promise(() => {})],
  ])('lets a request pass, and logs a limiter that %s', async ([, limit]) => {
    const logs = recordLogs()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const passed = requireRate({ limit }, 'jane')
    await vi.advanceTimersByTimeAsync(1_000)
    await expect(passed).resolves.toBeUndefined()
    expect(logs.events()).toMatchObject([{ level: 'error', event: 'rate_limiter_failed' }])
  })

  it.for<[name: string, limiter: RateLimit | null, answer: object, lines: number]>([
    ['allows it', { limit: async () => ({ success: true }) }, { code: 'none' }, 0],
    [
      'refuses it',
      { limit: async () => ({ success: false }) },
      { code: 'rate_limited', retryAfter: 60 },
      0,
    ],
    ['is missing', null, UNHEALTHY, 0],
    ['fails', { limit: async () => Promise.reject(new Error('limiter is down')) }, UNHEALTHY, 1],
    ['never answers', { limit: async () => new Promise(() => {}) }, UNHEALTHY, 1],
  ])('a strict limit passes no request, unless its limiter says so: it %s', async (limits) => {
    const [, limiter, answer, lines] = limits
    const logs = recordLogs()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const passed = requireStrictRate(limiter, 'jane').then(
      () => ({ code: 'none' }),
      (error: unknown) => error,
    )
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await passed).toMatchObject(answer)
    expect(logs.events()).toHaveLength(lines)
  })

  it('RATE_LIMITER of Workers refuses the fifth request, whatever the minute of its clock', async () => {
    const userId = await someKeyUser(someKeyOf('good'))
    const options = {
      token: await mintToken({ sub: userId }),
      env: { RATE_LIMITER: env.TIGHT_RATE_LIMITER },
    }
    const statuses = []
    // Two pass in a minute, so at most four pass in the two minutes that five requests can touch.
    for (const _ of [1, 2, 3, 4, 5]) {
      // oxlint-disable-next-line no-await-in-loop -- the limiter counts one after the other
      statuses.push((await call('GET', `/api/users/${userId}/api-keys`, options)).status)
    }
    expect(statuses.slice(0, 2)).toEqual([200, 200])
    expect(statuses).toContain(429)
  })

  it('a request passes the routes although RATE_LIMITER fails', async () => {
    const logs = recordLogs()
    const RATE_LIMITER = { limit: async () => Promise.reject(new Error('limiter is down')) }
    const userId = await someKeyUser(someKeyOf('good'))
    const options = { token: await mintToken({ sub: userId }), env: { RATE_LIMITER } }
    expect((await call('GET', `/api/users/${userId}/api-keys`, options)).status).toBe(200)
    expect(logs.text()).toContain('rate_limiter_failed')
  })
})

const TIGHT = { CALLER_LIMITER: tightLimiter() }
const someCaller = () => `caller-${crypto.randomUUID()}`
const someReader = async () => someKeyUser(someKeyOf('good'))

/** A caller over a binding to a vault that allows two uses, or as `changes` say. */
function someBinding(caller = someCaller(), changes: object = TIGHT) {
  const grants = ['use', 'reveal', 'users', 'support']
  const context = Object.assign(createExecutionContext(), { props: { caller, grants } })
  return new KeyVault(context, { ...env, ...changes })
}

/** The statuses of three uses over the relay, each of another user. */
async function relayStatuses(claims: object): Promise<number[]> {
  const use = async () => {
    const token = await mintToken({ sub: await someReader(), scope: 'relay', ...claims })
    const response = await call('GET', '/relay/openai/v1/models', { token, env: TIGHT })
    await response.text()
    return response.status
  }
  return [await use(), await use(), await use()]
}

describe('CALLER_LIMITER', () => {
  it('CALLER_LIMITER counts every use and reveal of a caller, for all users together', async () => {
    const vault = someBinding()
    const [one, other] = [await someReader(), await someReader()]
    const use = async (userId: string) =>
      vault.fetchWithApiKey(userId, 'openai', new Request(MODELS))
    expect(await use(one)).toMatchObject({ ok: true })
    expect(await vault.getDecryptedApiKey(other, 'openai')).toMatchObject({ ok: true })
    expect(await use(other)).toEqual({ ok: false, code: 'rate_limited', retryAfter: 60 })
  })

  it('vaultFetch gets a 429 from CALLER_LIMITER', async () => {
    const vault = someBinding()
    const headers = { 'X-Vault-User': await someReader(), 'X-Vault-Provider': 'openai' }
    const use = async () => vault.fetch(new Request(MODELS, { headers }))
    expect([(await use()).status, (await use()).status]).toEqual([200, 200])
    const limited = await use()
    expect([limited.status, limited.headers.get('X-Vault-Error')]).toEqual([429, 'rate_limited'])
    expect(limited.headers.get('Retry-After')).toBe('60')
  })

  it('CALLER_LIMITER counts each caller by itself, and a relay client of the same name', async () => {
    const name = someCaller()
    const userId = await someReader()
    for (const vault of [someBinding(name), someBinding()]) {
      for (const expected of [true, true, false]) {
        expect((await vault.getDecryptedApiKey(userId, 'openai')).ok).toBe(expected)
      }
    }
    expect(await relayStatuses({ client_id: name })).toEqual([200, 200, 429])
  })

  it('CALLER_LIMITER counts a caller under its kind and its name', async () => {
    const limit = vi.fn<RateLimit['limit']>(async () => ({ success: true }))
    const CALLER_LIMITER = { limit }
    const userId = await someReader()
    await someBinding('chat', { CALLER_LIMITER }).getDecryptedApiKey(userId, 'openai')
    const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'chat' })
    await call('GET', '/relay/openai/v1/models', { token, env: { CALLER_LIMITER } })
    expect(limit.mock.calls).toEqual([[{ key: 'binding:chat' }], [{ key: 'relay:chat' }]])
  })

  it('a vault without CALLER_LIMITER limits no caller, and logs no fault', async () => {
    const vault = someBinding(someCaller(), { CALLER_LIMITER: undefined })
    const userId = await someReader()
    const logs = recordLogs()
    for (const _ of [1, 2, 3]) {
      expect(await vault.getDecryptedApiKey(userId, 'openai')).toMatchObject({ ok: true })
    }
    expect(logs.text()).not.toContain('rate_limiter_failed')
  })

  it('CALLER_LIMITER does not count a call that uses no key', async () => {
    const vault = someBinding()
    const userId = await someReader()
    for (const _ of [1, 2, 3]) {
      expect(await vault.hasUser(userId)).toMatchObject({ ok: true })
      expect(await vault.listSlots(userId)).toMatchObject({ ok: true })
    }
  })

  it.for<[name: string, third: number, claims: object]>([
    ['client_id', 429, { client_id: someCaller() }],
    ['azp', 429, { azp: someCaller() }],
    ['cid', 429, { cid: someCaller() }],
    ['appid', 429, { appid: someCaller() }],
    ['no client', 200, {}],
  ])('a relay token with %s gets %i at the third use, by any users', async ([, third, claims]) => {
    expect(await relayStatuses(claims)).toEqual([200, 200, third])
  })
})
