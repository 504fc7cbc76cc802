/** Tokens and clocks: issuers whose clocks are wrong, and tokens that end while their request runs. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import type { JWTPayload } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { KnownTokens } from '../../src/tokens/known-tokens.ts'
import {
  app,
  call,
  interceptD1,
  keyPath,
  mintToken,
  slotPath,
  someKeyUser,
  someUser,
  storedKey,
  URL_BASE,
} from '../support.ts'

/** The beginning of a second. */
const NOW = Date.parse('2026-11-25T12:00:00.000Z')
const NOW_S = NOW / 1_000
const goodKey = () => `sk-good-${crypto.randomUUID()}`

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }))
afterEach(() => vi.useRealTimers())

/** The status and the code of a request for the user's key with a token of these claims. */
async function ask(claims: JWTPayload): Promise<unknown[]> {
  const userId = await someUser()
  return askWith(userId, await mintToken({ sub: userId, ...claims }))
}

async function askWith(userId: string, token: string): Promise<unknown[]> {
  const response = await call('GET', keyPath(userId), { token })
  const { code, detail }: { code?: string; detail?: string } = await response.json()
  return response.status === 200 ? [200] : [response.status, code, detail]
}

const OK = [200]
const ENDED = [401, 'token_expired', 'Its "exp" has passed.']
const FUTURE = [401, 'token_invalid', 'Its "nbf" is in the future.']

describe('a new token of an issuer whose clock is off', () => {
  // As flask-jwt-extended makes them: `iat` and `nbf` are the issuer's present.
  it.for<[name: string, off: number, lifetime: number, answer: unknown[]]>([
    ['30 s ahead', 30, 900, OK],
    ['31 s ahead', 31, 900, FUTURE],
    ['59 s ahead', 59, 900, FUTURE],
    ['61 s ahead', 61, 900, FUTURE],
    ['1 h ahead', 3_600, 900, FUTURE],
    ['30 s behind', -30, 900, OK],
    ['59 s behind', -59, 900, OK],
    ['61 s behind', -61, 900, OK],
    ['15 min 29 s behind', -929, 900, OK],
    ['15 min 30 s behind', -930, 900, ENDED],
    ['1 h behind', -3_600, 900, ENDED],
    ['1 h behind, with tokens for two hours', -3_600, 7_200, OK],
    ['59 s behind, with tokens for half a minute', -59, 30, OK],
    ['61 s behind, with tokens for half a minute', -61, 30, ENDED],
  ])('%s', async ([, off, lifetime, answer]) => {
    const iat = NOW_S + off
    expect(await ask({ iat, nbf: iat, exp: iat + lifetime })).toEqual(answer)
  })

  it.for([30, 59, 61, 3_600])(
    'is accepted %i s ahead without nbf, whatever its iat',
    async (off) => {
      expect(await ask({ iat: NOW_S + off, exp: NOW_S + off + 900 })).toEqual(OK)
    },
  )
})

describe('a token', () => {
  it.for<[name: string, claims: JWTPayload, ms: number, answer: unknown[]]>([
    ['before its exp', { exp: NOW_S }, -1, OK],
    ['at its exp', { exp: NOW_S }, 0, OK],
    ['until 30 s after its exp', { exp: NOW_S }, 29_999, OK],
    ['30 s after its exp', { exp: NOW_S }, 30_000, ENDED],
    ['until 30 s before its nbf', { nbf: NOW_S, exp: NOW_S + 900 }, -30_001, FUTURE],
    ['30 s before its nbf', { nbf: NOW_S, exp: NOW_S + 900 }, -30_000, OK],
    ['of a fraction of a second', { exp: NOW_S + 0.5 }, 30_499, OK],
    ['after a fraction of a second', { exp: NOW_S + 0.5 }, 31_000, ENDED],
    // 2^31 s is 2038-01-19T03:14:08Z.
    ['after 32 bits', { exp: 2 ** 31 + 60 }, 2 ** 31 * 1_000 - NOW, OK],
    ['until its end after 32 bits', { exp: 2 ** 31 }, 2 ** 31 * 1_000 - NOW + 30_000, ENDED],
    ['that ends in the year 9999', { exp: 253_402_300_799 }, 0, OK],
  ])('to the millisecond: %s', async ([, claims, ms, answer]) => {
    vi.setSystemTime(NOW + ms)
    expect(await ask(claims)).toEqual(answer)
  })

  it.for([
    ['a millisecond before its exp, is known', 59_999, OK, 1],
    ['at its exp, is checked again', 60_000, OK, 2],
    ['until 30 s after its exp, is checked again', 89_999, OK, 2],
    ['30 s after its exp, is refused', 90_000, ENDED, 2],
  ] as const)('that was verified before: %s', async ([, ms, answer, checks]) => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId, exp: NOW_S + 60 })
    const verify = vi.spyOn(crypto.subtle, 'verify')
    expect(await askWith(userId, token)).toEqual(OK)
    vi.setSystemTime(NOW + ms)
    expect([await askWith(userId, token), verify.mock.calls.length]).toEqual([answer, checks])
  })

  it.for([
    [-1, 'jane'],
    [0, undefined],
    [1, undefined],
    [86_400_000, undefined],
  ] as const)('is not known from its exp on: %i ms later', ([ms, found]) => {
    const known = new KnownTokens<string>()
    known.keep('token', 'jane', NOW_S + 60)
    vi.setSystemTime(NOW + 60_000 + ms)
    expect(known.find('token')).toBe(found)
  })
})

const anHourLater = () => vi.setSystemTime(NOW + 3_600_000)

/** It sets the clock an hour ahead as soon as it is read. */
function slowBody(parts: readonly string[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  const left = [...parts]
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    anHourLater()
    const part = left.shift()
    if (part === undefined) controller.close()
    else controller.enqueue(encoder.encode(part))
  }
  return new ReadableStream({ pull }, { highWaterMark: 0 })
}

describe('a token that ends while its request runs was good at the door', () => {
  async function someHolder() {
    const userId = await someKeyUser(goodKey())
    const claims = { sub: userId, scope: 'relay', client_id: 'notebook', exp: NOW_S + 5 }
    return { userId, token: await mintToken(claims) }
  }

  it.for<[name: string, run: (holder: { userId: string; token: string }) => Promise<unknown>]>([
    [
      'while its body comes',
      async ({ userId, token }) => {
        const apiKey = goodKey()
        const body = slowBody(['{"api_key": ', JSON.stringify(apiKey), '}'])
        const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
        const request = new Request(URL_BASE + keyPath(userId), { method: 'PUT', headers, body })
        const response = await app.fetch(request, env, createExecutionContext())
        expect([response.status, await storedKey(userId)]).toEqual([200, apiKey])
      },
    ],
    [
      'while D1 works',
      async ({ userId, token }) => {
        const DB = interceptD1(async (trip) => {
          anHourLater()
          return trip()
        })
        const path = slotPath(userId, 'openai')
        const response = await call('DELETE', path, { token, env: { DB } })
        expect([response.status, await storedKey(userId, env, 'openai')]).toEqual([200, null])
      },
    ],
    [
      'while the provider checks a key',
      async ({ userId, token }) => {
        const { fetch } = globalThis
        vi.spyOn(globalThis, 'fetch').mockImplementation(async (...given) => {
          anHourLater()
          return fetch(...given)
        })
        const apiKey = goodKey()
        const path = `${slotPath(userId, 'openai')}?verify=true`
        const response = await call('PUT', path, { token, body: { api_key: apiKey } })
        expect(await response.json()).toMatchObject({ user: { status: 'active' } })
        expect(await storedKey(userId, env, 'openai')).toBe(apiKey)
      },
    ],
    [
      'while the relay streams an answer',
      async ({ token }) => {
        const events = ['data: first\n\n', 'data: second\n\n', 'data: [DONE]\n\n']
        vi.spyOn(globalThis, 'fetch').mockResolvedValue(new Response(slowBody(events)))
        const context = createExecutionContext()
        const response = await call('GET', '/relay/openai/v1/models', { token, context })
        expect([response.status, await response.text()]).toEqual([200, events.join('')])
        await waitOnExecutionContext(context)
      },
    ],
    [
      'while its events are exported',
      async ({ userId, token }) => {
        const DB = interceptD1(async (trip) => {
          anHourLater()
          return trip()
        })
        const path = `/api/users/${userId}/api-key-events?format=ndjson`
        const response = await call('GET', path, { token, env: { DB } })
        expect([response.status, await response.text()]).toEqual([
          200,
          expect.stringContaining('"saved"'),
        ])
      },
    ],
  ])('%s, and not at the next one', async ([, run]) => {
    const holder = await someHolder()
    await run(holder)
    expect(Date.now()).toBe(NOW + 3_600_000)
    vi.restoreAllMocks()
    expect(await askWith(holder.userId, holder.token)).toEqual(ENDED)
    const relayed = await call('GET', '/relay/openai/v1/models', { token: holder.token })
    expect(relayed.headers.get('X-Vault-Error')).toBe('token_expired')
  })
})
