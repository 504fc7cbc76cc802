import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SignJWT } from 'jose'
import { inSeconds } from '../../scripts/lib/token.ts'
import { decodedSecret, sharedSecret } from '../../src/tokens/token-keys.ts'
import { call, keyPath, recordLogs, someUser } from '../support.ts'
import {
  AUDIENCE,
  ISSUER,
  outcomeOf,
  someIdentityProvider,
  startIdentityProvider,
  tokenBy,
} from './identity-provider.ts'
import { signingKey } from './signing-keys.ts'

const MINUTE_MS = 60_000

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: Date.now() }))
afterEach(() => vi.useRealTimers())

const later = (ms: number) => vi.setSystemTime(Date.now() + ms)

/** A fetch that never ends. */
const never = async () => new Promise<Response>(() => {})

/** The public half of an RSA key of 1,024 bits. */
const SHORT_RSA = {
  kty: 'RSA',
  alg: 'RS256',
  e: 'AQAB',
  n:
    'y2Z6rRczNrrkcECktVByegABX5qv28oGbHyFkXo5qPVQ0-5KZH4ZvIKk15OqxrH-MtA10OtJ1K4pz4E9ol83B5' +
    '9gIjUPuhT4zzqv6FdsEXgOu0bTJtzKCmg0xIfxDoXfA1h9gXn9pa4x4ZpgAezyqIyWBL6OwiWKd3x96IB3AfU',
}

it('imports a shared secret once, to verify alone', async () => {
  const imports = vi.spyOn(crypto.subtle, 'importKey')
  const secret = sharedSecret('a secret')
  const key = await secret()
  expect(await secret()).toBe(key)
  expect(imports).toHaveBeenCalledTimes(1)
  expect(key).toMatchObject({ extractable: false, usages: ['verify'] })
})

it.for<[name: string, secret: string, isBase64: boolean]>([
  ['base64', `${'A'.repeat(43)}=`, true],
  ['base64 of the other alphabet', `${'-_'.repeat(21)}8=`, true],
  ['base64 without padding', 'A'.repeat(43), true],
  ['hex', 'ab'.repeat(32), false],
  ['hex in upper case', 'AB'.repeat(32), true],
  ['words', 'a secret: more than thirty-two bytes', false],
  ['a length that base64 does not have', 'A'.repeat(41), false],
])('takes a secret of %s for base64, or not', ([, secret, isBase64]) => {
  expect(decodedSecret(secret) !== null).toBe(isBase64)
})

describe('an identity provider’s keys', () => {
  it.for('RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' '))(
    'the keys of a set verify tokens signed with %s',
    async (alg) => {
      const { serve, verify } = await startIdentityProvider()
      const [key, other] = [await signingKey(alg, 'a', 0), await signingKey(alg, 'b', 1)]
      await serve([key, other])
      expect(await outcomeOf(verify(await tokenBy(key)))).toBe('jane')
      expect(await outcomeOf(verify(await tokenBy(other)))).toBe('jane')
      const forged = await tokenBy(await signingKey(alg, 'a', 2))
      expect(await outcomeOf(verify(forged))).toBe('token_invalid')
    },
  )

  it('a key that is gone verifies nothing, not even a token that it verified', async () => {
    const { serve, verify, token } = await someIdentityProvider()
    expect(await outcomeOf(verify(token))).toBe('jane')
    await serve([await signingKey('ES256')])
    later(10 * MINUTE_MS + 1_000)
    await expect(verify(token)).rejects.toMatchObject({
      code: 'token_invalid',
      detail: 'Its "kid" and "alg" match no key of the identity provider.',
    })
  })

  it.for([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
  ] as const)(
    'a key of %s verifies a token signed with %s, which is the same algorithm',
    async ([alg, other]) => {
      const { serve, verify } = await startIdentityProvider()
      const key = await signingKey(alg)
      await serve([key])
      expect(await outcomeOf(verify(await tokenBy({ ...key, alg: other })))).toBe('jane')
    },
  )

  it('a key set never verifies an HMAC', async () => {
    const { serve, verify } = await startIdentityProvider()
    const key = await signingKey('RS256')
    await serve([key])
    const secret = new TextEncoder().encode(JSON.stringify(key.jwk))
    const token = await new SignJWT({ sub: 'jane', iss: ISSUER, aud: AUDIENCE, exp: inSeconds(60) })
      .setProtectedHeader({ alg: 'HS256', kid: key.kid })
      .sign(secret)
    await expect(verify(token)).rejects.toMatchObject({
      code: 'token_invalid',
      detail: 'Its "alg" is not one that this service accepts.',
    })
  })

  it.for([
    ['another iss', { iss: 'https://evil.test/' }],
    ['another aud', { aud: 'another' }],
    ['no iss', { iss: undefined }],
    ['no aud', { aud: undefined }],
    ['the type of a refresh token', { type: 'refresh' }],
  ])('a key of a set does not make a token valid that has %s', async ([, claims]) => {
    const { key, verify } = await someIdentityProvider()
    expect(await outcomeOf(verify(await tokenBy(key, claims)))).toBe('token_invalid')
  })

  it('the keys of a set are tried in turn if the token has no kid', async () => {
    const { serve, verify } = await startIdentityProvider()
    const keys = [await signingKey('RS256'), await signingKey('ES256'), await signingKey('ES256')]
    await serve(keys)
    const noKid = { kid: undefined }
    for (const key of keys) {
      expect(await outcomeOf(verify(await tokenBy(key, {}, noKid)))).toBe('jane')
    }
    const forged = await tokenBy(await signingKey('ES256'), {}, noKid)
    await expect(verify(forged)).rejects.toMatchObject({
      code: 'token_invalid',
      detail: expect.stringContaining('Its signature does not verify'),
    })
  })

  it('the keys of a set are tried in turn if several have the same kid', async () => {
    const { serve, verify, fetches } = await startIdentityProvider()
    const [one, other] = [await signingKey('ES256', 'same'), await signingKey('ES256', 'same')]
    await serve([one, other])
    expect(await outcomeOf(verify(await tokenBy(one)))).toBe('jane')
    expect(await outcomeOf(verify(await tokenBy(other)))).toBe('jane')
    const forged = await tokenBy(await signingKey('ES256', 'same'))
    expect(await outcomeOf(verify(forged))).toBe('token_invalid')
    later(31_000)
    const expired = await tokenBy(other, { exp: inSeconds(-60) })
    expect([await outcomeOf(verify(expired)), await fetches()]).toEqual(['token_expired', 1])
  })
})

describe('a key set with a bad key in it', () => {
  it.for<[reason: string, bad: object | string]>([
    ['RSA under 2048 bits', SHORT_RSA],
    ['OperationError', { kty: 'EC', crv: 'P-256', alg: 'ES256', x: 'AAAA', y: 'AAAA' }],
    ['symmetric', { kty: 'oct', alg: 'HS256', k: 'c2VjcmV0' }],
    ['unknown type or curve', { kty: 'EC', crv: 'secp256k1', x: 'AAAA', y: 'AAAA' }],
    ['not a JSON object', 'key'],
  ])('a key set verifies with its other keys, and logs a bad one once: %s', async (row) => {
    const [reason, bad] = row
    const logs = recordLogs()
    const { key, token, serveText, verify, fetches } = await someIdentityProvider()
    const unusable = typeof bad === 'string' ? bad : { kid: 'bad', ...bad }
    await serveText(JSON.stringify({ keys: [unusable, key.jwk] }))
    expect(await outcomeOf(verify(token))).toBe('jane')
    const attack = await tokenBy({ ...key, kid: 'bad' })
    expect(await outcomeOf(verify(attack))).toBe('token_invalid')
    expect(await outcomeOf(verify(attack))).toBe('token_invalid')
    const kid = typeof bad === 'string' ? null : 'bad'
    const keys = [{ index: 0, kid, reason: expect.stringContaining(reason) }]
    const lines = [{ level: 'error', event: 'token_keys_dropped', keys }]
    expect(logs.events()).toEqual(lines)
    const before = await fetches()
    later(11 * MINUTE_MS)
    expect(await outcomeOf(verify(await tokenBy(key)))).toBe('jane')
    expect([await fetches(), logs.events()]).toEqual([before + 1, lines])
  })

  it('a key for encryption is not logged', async () => {
    const logs = recordLogs()
    const { key, token, serveText, verify } = await someIdentityProvider()
    const encryption = { ...(await signingKey('RS256')).jwk, use: 'enc', alg: 'RSA-OAEP' }
    await serveText(JSON.stringify({ keys: [encryption, key.jwk] }))
    expect(await outcomeOf(verify(token))).toBe('jane')
    expect(logs.events()).toEqual([])
  })
})

describe('the fetch of a key set', () => {
  it('fetches once for many tokens, concurrent or consecutive', async () => {
    const { token, verify, fetches } = await someIdentityProvider()
    await Promise.all(Array.from({ length: 20 }, async () => verify(token)))
    await verify(token)
    expect(await fetches()).toBe(1)
  })

  it('fetches again after ten minutes', async () => {
    const { serve, key, token, verify, fetches } = await someIdentityProvider()
    const next = await signingKey('ES256')
    expect(await outcomeOf(verify(token))).toBe('jane')
    await serve([next])
    later(10 * MINUTE_MS - 1)
    expect(await outcomeOf(verify(await tokenBy(key)))).toBe('jane')
    later(1)
    expect(await outcomeOf(verify(await tokenBy(key)))).toBe('token_invalid')
    expect(await outcomeOf(verify(await tokenBy(next)))).toBe('jane')
    expect(await fetches()).toBe(2)
  })

  it('fetches once at the first token of a new key, even for concurrent tokens', async () => {
    const { serve, key, token, verify, fetches } = await someIdentityProvider()
    await verify(token)
    later(31_000)
    const next = await signingKey('ES256')
    await serve([key, next])
    const newer = await tokenBy(next)
    await Promise.all(Array.from({ length: 20 }, async () => verify(newer)))
    expect(await outcomeOf(verify(token))).toBe('jane')
    expect(await fetches()).toBe(2)
  })

  it('fetches at most once per 30 s for a flood of unknown kids', async () => {
    const { key, token, verify, fetches } = await someIdentityProvider()
    await verify(token)
    const unknown = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => tokenBy({ ...key, kid: `unknown-${i}` })),
    )
    const flood = async () => Promise.all(unknown.map(async (one) => outcomeOf(verify(one))))
    const refusals = unknown.map(() => 'token_invalid')

    later(29_999)
    expect([await flood(), await fetches()]).toEqual([refusals, 1])
    later(1)
    expect([await flood(), await flood(), await fetches()]).toEqual([refusals, refusals, 2])
    expect(await outcomeOf(verify(token))).toBe('jane')
  })

  it('fetches nothing for a token that is malformed', async () => {
    const { verify, fetches } = await someIdentityProvider()
    expect(await outcomeOf(verify('garbage'))).toBe('token_invalid')
    expect(await fetches()).toBe(0)
  })
})

describe('an unreachable identity provider', () => {
  const UNREACHABLE = 'token_keys_unreachable'

  it('a request is a 503 with Retry-After while the identity provider is down', async () => {
    recordLogs()
    const { url, token } = await someIdentityProvider('?status=502')
    const keySet = { JWT_SECRET_KEY: '', JWT_JWKS_URL: url.href }
    const vault = { ...keySet, JWT_ISSUER: ISSUER, JWT_AUDIENCE: AUDIENCE }
    const response = await call('GET', keyPath(await someUser('jane')), { token, env: vault })
    expect(response.status).toBe(503)
    expect(response.headers.get('Retry-After')).toBe('5')
    expect(response.headers.get('WWW-Authenticate')).toBeNull()
    expect(await response.json()).toMatchObject({ code: UNREACHABLE })
  })

  it('fetches again 5 s after a failed fetch', async () => {
    const { serve, key, token, verify, fetches } = await someIdentityProvider('?status=502')
    await expect(verify(token)).rejects.toMatchObject({ code: UNREACHABLE, retryAfter: 5 })
    await serve([key])
    expect([await outcomeOf(verify(token)), await fetches()]).toEqual([UNREACHABLE, 1])
    later(4_999)
    expect(await outcomeOf(verify(token))).toBe(UNREACHABLE)
    later(1)
    expect(await outcomeOf(verify(token))).toBe('jane')
  })

  it('keeps the fetched keys for ten minutes', async () => {
    const { stop, key, token, verify } = await someIdentityProvider()
    await verify(token)
    await stop()
    later(31_000)
    for (const kid of ['unknown', 'unknown']) {
      const unknown = verify(await tokenBy({ ...key, kid }))
      await expect(unknown).rejects.toMatchObject({ code: UNREACHABLE, retryAfter: 30 })
    }
    expect(await outcomeOf(verify(token))).toBe('jane')
    later(570_000)
    expect(await outcomeOf(verify(token))).toBe(UNREACHABLE)
  })

  it.for([
    ['not json', 'is not valid JSON'],
    ['{}', 'JWT_JWKS_URL did not answer with a key set'],
    ['{"keys":{}}', 'JWT_JWKS_URL did not answer with a key set'],
    ['[]', 'JWT_JWKS_URL did not answer with a key set'],
    ['null', 'JWT_JWKS_URL did not answer with a key set'],
    ['{"keys":[]}', 'JWT_JWKS_URL has no key that verifies a token'],
  ] as const)('an identity provider that serves %s is at fault: %s', async ([served, message]) => {
    const { serveText, token, verify } = await someIdentityProvider()
    await serveText(served)
    await expect(verify(token)).rejects.toMatchObject({
      code: UNREACHABLE,
      cause: { message: expect.stringContaining(message) },
    })
  })

  it.for<[name: string, query: string]>([
    ['answers with an error', '?status=502'],
    ['redirects elsewhere', '?status=302&location=https%3A%2F%2Felsewhere.test%2Fjwks.json'],
  ])('an identity provider that %s is at fault, and its status is told', async ([, query]) => {
    const { token, verify } = await someIdentityProvider(query)
    const status = query.slice('?status='.length, '?status=500'.length)
    await expect(verify(token)).rejects.toMatchObject({
      code: UNREACHABLE,
      cause: { message: `JWT_JWKS_URL answered with status ${status}` },
    })
  })

  it('an identity provider that serves a malformed key alone is at fault', async () => {
    recordLogs()
    const { serve, key, token, verify } = await someIdentityProvider()
    await serve([{ ...key, jwk: { ...key.jwk, x: key.jwk.y ?? '' } }])
    expect(await outcomeOf(verify(token))).toBe(UNREACHABLE)
  })

  it('refuses an unknown kid once the identity provider is back', async () => {
    const { serve, key, token, verify } = await someIdentityProvider()
    await verify(token)
    const unknown = await tokenBy({ ...key, kid: 'unknown' })
    await serve([key], '?status=500')
    later(31_000)
    expect(await outcomeOf(verify(unknown))).toBe(UNREACHABLE)
    await serve([key])
    later(31_000)
    expect(await outcomeOf(verify(unknown))).toBe('token_invalid')
  })
})

describe('a slow identity provider', () => {
  const UNREACHABLE = 'token_keys_unreachable'

  it('waits for a key set for 5 s', async () => {
    const { token, verify } = await someIdentityProvider()
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(AbortSignal.abort())
    expect(await outcomeOf(verify(token))).toBe(UNREACHABLE)
    expect(timeout).toHaveBeenCalledWith(5_000)
  })

  it('ignores a time-out that comes after the answer', async () => {
    const { key, token, verify } = await someIdentityProvider()
    const late = Promise.withResolvers<void>()
    vi.spyOn(scheduler, 'wait').mockReturnValueOnce(late.promise)
    expect(await outcomeOf(verify(token))).toBe('jane')
    late.resolve()
    const unknown = await tokenBy({ ...key, kid: 'unknown' })
    expect(await outcomeOf(verify(unknown))).toBe('token_invalid')
  })

  it('does not leave later tokens waiting for a fetch that never ends', async () => {
    const { key, token, verify } = await someIdentityProvider()
    const fetching = vi.spyOn(globalThis, 'fetch')
    const waiting = vi.spyOn(scheduler, 'wait')
    fetching.mockReturnValueOnce(never())
    waiting.mockResolvedValueOnce()
    await expect(verify(token)).rejects.toMatchObject({
      code: UNREACHABLE,
      cause: { message: 'The fetch of JWT_JWKS_URL took too long' },
    })
    expect(waiting).toHaveBeenCalledWith(6_000)
    later(5_001)
    expect(await outcomeOf(verify(token))).toBe('jane')

    later(31_000)
    fetching.mockReturnValueOnce(never())
    waiting.mockResolvedValueOnce()
    const unknown = await tokenBy({ ...key, kid: 'unknown' })
    expect(await outcomeOf(verify(unknown))).toBe(UNREACHABLE)
    expect(await outcomeOf(verify(token))).toBe('jane')
  })

  it('does not end a later fetch when an earlier one takes too long', async () => {
    const { key, token, verify } = await someIdentityProvider()
    const late = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const waiting = vi.spyOn(scheduler, 'wait')
    for (const { promise } of late) waiting.mockReturnValueOnce(promise)
    const answer = Promise.withResolvers<Response>()
    const fetching = vi.spyOn(globalThis, 'fetch')
    fetching.mockReturnValueOnce(never()).mockReturnValueOnce(answer.promise)

    const [one, other] = [outcomeOf(verify(token)), outcomeOf(verify(token))]
    await vi.waitFor(() => expect(waiting).toHaveBeenCalledTimes(2))
    late[0]?.resolve()
    expect(await one).toBe(UNREACHABLE)
    later(5_001)
    const third = outcomeOf(verify(token))
    await vi.waitFor(() => expect(fetching).toHaveBeenCalledTimes(2))
    late[1]?.resolve()
    expect(await other).toBe(UNREACHABLE)
    const fourth = outcomeOf(verify(token))
    answer.resolve(Response.json({ keys: [key.jwk] }))
    expect([await third, await fourth]).toEqual(['jane', 'jane'])
    expect(fetching).toHaveBeenCalledTimes(2)
  })
})
