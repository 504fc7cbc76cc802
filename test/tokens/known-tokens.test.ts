import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from '../isolate.ts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { KnownTokens } from '../../src/tokens/known-tokens.ts'
import {
  app,
  call,
  interceptD1,
  keyPath,
  mintToken,
  slotPath,
  someEncryptionKey,
  someKeyUser,
  someUser,
  storedKey,
  URL_BASE,
} from '../support.ts'
import { SECRET } from './signed-tokens.ts'
import { signingKey } from './signing-keys.ts'
import { byKey, bySecret, KEY_SET_URL, pemOf, serveKeySet, vaultOf } from './token-sources.ts'

const ES256 = await signingKey('ES256')

/** The beginning of a second. */
const NOW = Date.parse('2026-11-25T12:00:00.000Z')
const NOW_S = NOW / 1_000
const ENDED = [401, 'token_expired']

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }))
afterEach(() => vi.useRealTimers())

/** The status and the code of a request for the user's key. */
async function ask(userId: string, token: string, vault?: Partial<Env>): Promise<unknown[]> {
  const response = await call('GET', keyPath(userId), { token, ...(vault && { env: vault }) })
  const { code }: { code?: string } = await response.json()
  return [response.status, ...(code === undefined ? [] : [code])]
}

/** Keeps so many tokens of a length. @returns the names of those that are still known */
function keepMany(count: number, length: number): (name: string) => string | undefined {
  const known = new KnownTokens<string>()
  const tokenOf = (name: string) => name.padEnd(length, '.')
  for (let index = 0; index < count; index += 1) {
    known.keep(tokenOf(`${index}`), `user-${index}`, NOW_S + 60)
  }
  return (name) => known.find(tokenOf(name))
}

it.for([
  [2_621, 300],
  [953, 1_000],
  [63, 16_384],
] as const)('keeps %i tokens of %i characters, and makes room for later ones', ([most, length]) => {
  const find = keepMany(most, length)
  expect([find('0'), find(`${most - 1}`)]).toEqual(['user-0', `user-${most - 1}`])
  const findLater = keepMany(most + 1, length)
  expect([findLater('0'), findLater('1')]).toEqual([undefined, 'user-1'])
})

it('makes room by forgetting the token that was not sent for longest', () => {
  const known = new KnownTokens<string>()
  /** Two of this length have room. */
  const tokenOf = (name: string) => name.padEnd(500_000, '.')
  const keep = (name: string) => known.keep(tokenOf(name), name, NOW_S + 60)
  keep('a')
  keep('b')
  known.find(tokenOf('a'))
  keep('c')
  expect(['a', 'b', 'c'].map((name) => known.find(tokenOf(name)))).toEqual(['a', undefined, 'c'])
})

it('gives no room to a token that never expires', () => {
  const known = new KnownTokens<string>()
  known.keep('endless', 'user', undefined)
  expect(known.find('endless')).toBeUndefined()
})

it.for([
  [-1, 'jane'],
  [0, undefined],
  [1, undefined],
  [86_400_000, undefined],
] as const)('knows a token until the second of its exp begins: %i ms later', ([ms, found]) => {
  const known = new KnownTokens<string>()
  known.keep('token', 'jane', NOW_S + 60)
  vi.setSystemTime(NOW + 60_000 + ms)
  expect(known.find('token')).toBe(found)
})

/** The calls of WebCrypto that check a token of the secret: the vault's own, and jose's. */
const CALLS_OF_SECRET = 2

it.for<[name: string, checks: number, vars: Partial<Env>]>([
  ['a secret', 1, { JWT_SECRET_KEY: SECRET }],
  ['a public key', 1, { JWT_PUBLIC_KEY: await pemOf(ES256) }],
  ['a key set', 2, { JWT_JWKS_URL: KEY_SET_URL, JWT_ISSUER: 'a', JWT_CLIENTS: 'web' }],
  [
    'a key set beside a secret',
    2,
    { JWT_SECRET_KEY: SECRET, JWT_JWKS_URL: KEY_SET_URL, JWT_ISSUER: 'a', JWT_CLIENTS: 'web' },
  ],
])('a token of %s is checked %i times if it comes twice', async ([, checks, vars]) => {
  serveKeySet([ES256.jwk])
  const isOfSecret = checks === 1 && vars.JWT_SECRET_KEY !== undefined
  const by = isOfSecret ? bySecret(SECRET) : byKey(ES256)
  const token = await by({ sub: 'jane', iss: 'a', azp: 'web', exp: NOW_S + 60 })
  const verifyToken = vaultOf(vars)
  const verify = vi.spyOn(crypto.subtle, 'verify')
  expect(await verifyToken(token)).toEqual(await verifyToken(token))
  expect(verify).toHaveBeenCalledTimes(isOfSecret ? checks * CALLS_OF_SECRET : checks)
})

describe('a token that was verified before', () => {
  it.for([
    ['a millisecond before its exp is known', 59_999, [200], 1],
    ['at its exp is checked again', 60_000, [200], 2],
    ['until 30 s after its exp is checked again', 89_999, [200], 2],
    ['30 s after its exp is refused', 90_000, ENDED, 2],
  ] as const)('a token that was verified before, %s', async ([, ms, answer, checks]) => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId, exp: NOW_S + 60 })
    const verify = vi.spyOn(crypto.subtle, 'verify')
    expect(await ask(userId, token)).toEqual([200])
    vi.setSystemTime(NOW + ms)
    const answered = await ask(userId, token)
    expect([answered, verify.mock.calls.length]).toEqual([answer, checks * CALLS_OF_SECRET])
  })

  it('a token that was verified before names its own user alone', async () => {
    const [one, other] = [await someUser(), await someUser()]
    const token = await mintToken({ sub: one })
    await ask(one, token)
    expect(await ask(other, token)).toEqual([403, 'not_your_own'])
  })

  it('a token that was verified before is refused by a vault of another secret', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    await ask(userId, token)
    const other = { JWT_SECRET_KEY: someEncryptionKey() }
    expect(await ask(userId, token, other)).toEqual([401, 'token_invalid'])
  })

  it('a token that was refused is not kept', async () => {
    const userId = await someUser()
    const forged = `${(await mintToken({ sub: userId })).slice(0, -4)}AAAA`
    const verify = vi.spyOn(crypto.subtle, 'verify')
    await ask(userId, forged)
    expect(await ask(userId, forged)).toEqual([401, 'token_invalid'])
    expect(verify).toHaveBeenCalledTimes(2)
  })
})

interface Holder {
  userId: string
  token: string
}

const goodKey = () => `sk-good-${crypto.randomUUID()}`
const anHourLater = () => vi.setSystemTime(NOW + 3_600_000)

/** Sets the clock an hour ahead as soon as it is read. */
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

/** D1, at whose first round trip the clock is set an hour ahead. */
const slowD1 = () =>
  interceptD1(async (trip) => {
    anHourLater()
    return trip()
  })

const RUNNING: [what: string, run: (holder: Holder) => Promise<unknown>][] = [
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
      const path = slotPath(userId, 'openai')
      const response = await call('DELETE', path, { token, env: { DB: slowD1() } })
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
      const path = `/api/users/${userId}/api-key-events?format=ndjson`
      const response = await call('GET', path, { token, env: { DB: slowD1() } })
      expect([response.status, await response.text()]).toEqual([
        200,
        expect.stringContaining('"saved"'),
      ])
    },
  ],
]

it.for(RUNNING)(
  'a request whose token ends %s is done, and the next one is refused',
  async ([, run]) => {
    const userId = await someKeyUser(goodKey())
    const claims = { sub: userId, scope: 'relay', client_id: 'notebook', exp: NOW_S + 5 }
    const token = await mintToken(claims)
    await run({ userId, token })
    expect(Date.now()).toBe(NOW + 3_600_000)
    vi.restoreAllMocks()
    expect(await ask(userId, token)).toEqual(ENDED)
    const relayed = await call('GET', '/relay/openai/v1/models', { token })
    expect(relayed.headers.get('X-Vault-Error')).toBe('token_expired')
  },
)
