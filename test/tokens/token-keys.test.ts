import { env } from '../isolate.ts'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { sharedSecret } from '../../src/tokens/token-keys.ts'
import { app, keyPath, recordLogs, someUser, URL_BASE } from '../support.ts'

const CONTROL = inject('keyServers')
const ISSUER = 'https://id.test/'
const AUDIENCE = 'vault'

let userId: string
/** The JWKS endpoint of this test's identity provider. */
let origin: string
/** The Worker's environment. It is one object, as in an isolate. */
let workerEnv: Env

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  userId = await someUser()
  origin = await (await fetch(CONTROL, { method: 'POST' })).text()
  workerEnv = {
    ...env,
    JWT_SECRET_KEY: '',
    JWT_JWKS_URL: `${origin}/jwks.json`,
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
  }
  return async () => control('DELETE')
})

afterEach(() => vi.useRealTimers())

async function control(method: string, body?: string, query = ''): Promise<string> {
  const url = `${CONTROL}/${new URL(origin).port}${query}`
  const response = await fetch(url, { method, ...(body !== undefined && { body }) })
  if (!response.ok) throw new Error(await response.text())
  return response.text()
}

const fetches = async () => Number(await control('GET'))
const serve = async (...keys: (ProviderKey | `?${string}`)[]) => {
  const query = keys.find((key) => typeof key === 'string')
  const jwks = keys.filter((key) => typeof key !== 'string').map(({ jwk }) => jwk)
  await control('PUT', JSON.stringify({ keys: jwks }), query)
}

interface ProviderKey {
  kid: string
  alg: string
  privateKey: CryptoKey
  jwk: JWK
}

async function providerKey(alg: string, kid: string = crypto.randomUUID()): Promise<ProviderKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } }
}

async function tokenBy(key: ProviderKey, claims = {}, header = {}): Promise<string> {
  const payload = { sub: userId, iss: ISSUER, aud: AUDIENCE, exp: inSeconds(7200), ...claims }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
    .sign(key.privateKey)
}

const get = async (token: string) => {
  const headers = { Authorization: `Bearer ${token}` }
  return app.request(URL_BASE + keyPath(userId), { headers }, workerEnv)
}
const codeOf = async (response: Response) => Reflect.get(Object(await response.json()), 'code')

/** The public half of an RSA key of 1,024 bits. */
const shortRsaKey = {
  kty: 'RSA',
  alg: 'RS256',
  e: 'AQAB',
  n:
    'y2Z6rRczNrrkcECktVByegABX5qv28oGbHyFkXo5qPVQ0-5KZH4ZvIKk15OqxrH-MtA10OtJ1K4pz4E9ol83B5' +
    '9gIjUPuhT4zzqv6FdsEXgOu0bTJtzKCmg0xIfxDoXfA1h9gXn9pa4x4ZpgAezyqIyWBL6OwiWKd3x96IB3AfU',
}

describe('an identity provider’s keys', () => {
  it.for('RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' '))(
    'verify tokens signed with %s',
    async (alg) => {
      const [key, other] = [await providerKey(alg), await providerKey(alg)]
      await serve(key, other)
      expect((await get(await tokenBy(key))).status).toBe(200)
      expect((await get(await tokenBy(other))).status).toBe(200)
      const forged = await tokenBy({ ...(await providerKey(alg)), kid: key.kid })
      expect(await codeOf(await get(forged))).toBe('token_invalid')
    },
  )

  it('verify nothing once they are gone, not even a token that they verified', async () => {
    const [key, next] = [await providerKey('ES256'), await providerKey('ES256')]
    await serve(key)
    const token = await tokenBy(key)
    expect((await get(token)).status).toBe(200)
    await serve(next)
    vi.setSystemTime(Date.now() + 601_000)
    expect(await (await get(token)).json()).toMatchObject({
      code: 'token_invalid',
      detail: 'Its "kid" and "alg" match no key of the identity provider.',
    })
  })

  it.for([
    ['EdDSA', 'Ed25519'],
    ['Ed25519', 'EdDSA'],
  ] as const)(
    'verify with a key of %s a token signed with %s, which is the same algorithm',
    async ([alg, other]) => {
      const key = await providerKey(alg)
      await serve(key)
      expect((await get(await tokenBy({ ...key, alg: other }))).status).toBe(200)
    },
  )

  it('never verify an HMAC', async () => {
    const key = await providerKey('RS256')
    await serve(key)
    const secret = new TextEncoder().encode(JSON.stringify(key.jwk))
    const token = await new SignJWT({ sub: userId, iss: ISSUER, aud: AUDIENCE, exp: inSeconds(60) })
      .setProtectedHeader({ alg: 'HS256', kid: key.kid })
      .sign(secret)
    expect(await (await get(token)).json()).toMatchObject({
      code: 'token_invalid',
      detail: 'Its "alg" is not one that this service accepts.',
    })
  })

  it.for([
    ['iss', { iss: 'https://evil.test/' }],
    ['aud', { aud: 'another' }],
    ['no iss', { iss: undefined }],
    ['no aud', { aud: undefined }],
    ['a refresh token', { type: 'refresh' }],
  ])('do not make a token with a wrong claim valid: %s', async ([, claims]) => {
    const key = await providerKey('ES256')
    await serve(key)
    expect(await codeOf(await get(await tokenBy(key, claims)))).toBe('token_invalid')
  })

  it('are tried in turn if the token has no kid', async () => {
    const [rsa, ec, ec2] = [
      await providerKey('RS256'),
      await providerKey('ES256'),
      await providerKey('ES256'),
    ]
    await serve(rsa, ec, ec2)
    const noKid = { kid: undefined }
    expect((await get(await tokenBy(rsa, {}, noKid))).status).toBe(200)
    expect((await get(await tokenBy(ec, {}, noKid))).status).toBe(200)
    expect((await get(await tokenBy(ec2, {}, noKid))).status).toBe(200)
    const forged = await get(await tokenBy(await providerKey('ES256'), {}, noKid))
    expect(await forged.json()).toMatchObject({
      code: 'token_invalid',
      detail: expect.stringContaining('Its signature does not verify'),
    })
  })

  it('are tried in turn if several have the same kid', async () => {
    const [one, other] = [await providerKey('ES256', 'same'), await providerKey('ES256', 'same')]
    await serve(one, other)
    expect((await get(await tokenBy(one))).status).toBe(200)
    expect((await get(await tokenBy(other))).status).toBe(200)
    expect((await get(await tokenBy(await providerKey('ES256', 'same')))).status).toBe(401)
    vi.setSystemTime(Date.now() + 31_000)
    const expired = await get(await tokenBy(other, { exp: inSeconds(-60) }))
    expect([await codeOf(expired), await fetches()]).toEqual(['token_expired', 1])
  })
})

describe('a key set with a bad key in it', () => {
  it.for<[reason: string, bad: object | string]>([
    ['RSA under 2048 bits', shortRsaKey],
    ['OperationError', { kty: 'EC', crv: 'P-256', alg: 'ES256', x: 'AAAA', y: 'AAAA' }],
    ['symmetric', { kty: 'oct', alg: 'HS256', k: 'c2VjcmV0' }],
    ['unknown type or curve', { kty: 'EC', crv: 'secp256k1', x: 'AAAA', y: 'AAAA' }],
    ['not a JSON object', 'key'],
  ])('verifies with the other keys, and logs once: %s', async ([reason, bad]) => {
    const logs = recordLogs()
    const key = await providerKey('ES256')
    const unusable = typeof bad === 'string' ? bad : { kid: 'bad', ...bad }
    await control('PUT', JSON.stringify({ keys: [unusable, key.jwk] }))
    expect((await get(await tokenBy(key))).status).toBe(200)
    const attack = await tokenBy({ ...key, kid: 'bad' })
    expect([await codeOf(await get(attack)), await codeOf(await get(attack))]).toEqual([
      'token_invalid',
      'token_invalid',
    ])
    const kid = typeof bad === 'string' ? null : 'bad'
    const line = {
      level: 'error',
      event: 'token_keys_dropped',
      keys: [{ index: 0, kid, reason: expect.stringContaining(reason) }],
    }
    const errors = () => logs.events().filter(({ level }) => level === 'error')
    expect(errors()).toEqual([line])
    const before = await fetches()
    vi.setSystemTime(Date.now() + 11 * 60_000)
    expect((await get(await tokenBy(key))).status).toBe(200)
    expect(await fetches()).toBe(before + 1)
    expect(errors()).toEqual([line])
  })

  it('does not log a key for encryption', async () => {
    const logs = recordLogs()
    const key = await providerKey('ES256')
    const encryption = { ...(await providerKey('RS256')).jwk, use: 'enc', alg: 'RSA-OAEP' }
    await control('PUT', JSON.stringify({ keys: [encryption, key.jwk] }))
    expect((await get(await tokenBy(key))).status).toBe(200)
    expect(logs.text()).not.toContain('token_keys_dropped')
  })
})

describe('a shared secret', () => {
  it('is imported once, to verify alone', async () => {
    const imports = vi.spyOn(crypto.subtle, 'importKey')
    const secret = sharedSecret('a secret')
    const header = { alg: 'HS256' }
    const input = { payload: '', signature: '' }
    const key = await secret(header, input)
    expect(await secret(header, input)).toBe(key)
    expect(imports).toHaveBeenCalledTimes(1)
    expect(key).toMatchObject({ extractable: false, usages: ['verify'] })
  })
})

describe('fetching the keys of an identity provider', () => {
  it('fetches once for many requests, concurrent or consecutive', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    const token = await tokenBy(key)
    const first = await Promise.all(Array.from({ length: 20 }, async () => get(token)))
    expect(first.map(({ status }) => status)).toEqual(first.map(() => 200))
    await get(token)
    expect(await fetches()).toBe(1)
  })

  it('fetches again after ten minutes', async () => {
    const [key, next] = [await providerKey('ES256'), await providerKey('ES256')]
    await serve(key)
    expect((await get(await tokenBy(key))).status).toBe(200)
    await serve(next)
    vi.setSystemTime(Date.now() + 599_999)
    expect((await get(await tokenBy(key))).status).toBe(200)
    vi.setSystemTime(Date.now() + 1)
    expect(await codeOf(await get(await tokenBy(key)))).toBe('token_invalid')
    expect((await get(await tokenBy(next))).status).toBe(200)
    expect(await fetches()).toBe(2)
  })

  it('fetches once at the first token of a new key, even for concurrent requests', async () => {
    const [key, next] = [await providerKey('ES256'), await providerKey('ES256')]
    await serve(key)
    await get(await tokenBy(key))
    vi.setSystemTime(Date.now() + 31_000)
    await serve(key, next)
    const token = await tokenBy(next)
    const answers = await Promise.all(Array.from({ length: 20 }, async () => get(token)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect((await get(await tokenBy(key))).status).toBe(200)
    expect(await fetches()).toBe(2)
  })

  it('fetches at most once per 30 s for a flood of unknown kids', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    await get(await tokenBy(key))
    const unknown = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => tokenBy({ ...key, kid: `unknown-${i}` })),
    )
    const flood = async () => Promise.all(unknown.map(async (token) => codeOf(await get(token))))
    const refusals = unknown.map(() => 'token_invalid')

    vi.setSystemTime(Date.now() + 29_999)
    expect(await flood()).toEqual(refusals)
    expect(await fetches()).toBe(1)
    vi.setSystemTime(Date.now() + 1)
    expect(await flood()).toEqual(refusals)
    expect(await flood()).toEqual(refusals)
    expect(await fetches()).toBe(2)
    expect((await get(await tokenBy(key))).status).toBe(200)
  })
})

describe('an unreachable identity provider', () => {
  it('answers 503 with Retry-After, and fetches again only after 5 s', async () => {
    const key = await providerKey('ES256')
    await serve(key, '?status=502')
    const token = await tokenBy(key)
    const down = await get(token)
    expect(down.status).toBe(503)
    expect(down.headers.get('Retry-After')).toBe('5')
    expect(down.headers.get('WWW-Authenticate')).toBeNull()
    expect(await codeOf(down)).toBe('token_keys_unreachable')
    await serve(key)
    expect((await get(token)).status).toBe(503)
    expect(await fetches()).toBe(1)
    vi.setSystemTime(Date.now() + 4_999)
    expect((await get(token)).status).toBe(503)
    vi.setSystemTime(Date.now() + 1)
    expect((await get(token)).status).toBe(200)
  })

  it('keeps using the fetched keys for ten minutes', async () => {
    const [key, unknown] = [await providerKey('ES256'), await providerKey('ES256')]
    await serve(key)
    const token = await tokenBy(key)
    await get(token)
    await control('DELETE')

    vi.setSystemTime(Date.now() + 31_000)
    for (const response of [await get(await tokenBy(unknown)), await get(await tokenBy(unknown))]) {
      expect(response.headers.get('Retry-After')).toBe('30')
      expect(await codeOf(response)).toBe('token_keys_unreachable')
    }
    expect((await get(token)).status).toBe(200)
    vi.setSystemTime(Date.now() + 570_000)
    expect(await codeOf(await get(token))).toBe('token_keys_unreachable')
  })

  it.for([
    ['not json', 'SyntaxError'],
    ['{}', 'JWT_JWKS_URL did not answer with a key set'],
    ['{"keys":{}}', 'JWT_JWKS_URL did not answer with a key set'],
    ['[]', 'JWT_JWKS_URL did not answer with a key set'],
    ['null', 'JWT_JWKS_URL did not answer with a key set'],
    ['{"keys":[]}', 'JWT_JWKS_URL has no key that verifies a token'],
  ] as const)(
    'answers 503 if the identity provider serves %s, and logs why',
    async ([served, reason]) => {
      const logs = recordLogs()
      await control('PUT', served)
      const token = await tokenBy(await providerKey('ES256'))
      expect(await codeOf(await get(token))).toBe('token_keys_unreachable')
      expect(logs.text()).toContain(reason)
    },
  )

  it('logs the status of an answer that is not a key set', async () => {
    const logs = recordLogs()
    await serve('?status=502')
    await get(await tokenBy(await providerKey('ES256')))
    expect(logs.text()).toContain('JWT_JWKS_URL answered with status 502')
  })

  it('answers 401 for an unknown kid once the identity provider is back', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    await get(await tokenBy(key))
    const unknown = await tokenBy({ ...key, kid: 'unknown' })
    await serve(key, '?status=500')
    vi.setSystemTime(Date.now() + 31_000)
    expect(await codeOf(await get(unknown))).toBe('token_keys_unreachable')
    await serve(key)
    vi.setSystemTime(Date.now() + 31_000)
    expect(await codeOf(await get(unknown))).toBe('token_invalid')
  })

  it('answers 503 if the identity provider redirects elsewhere', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    const elsewhere = encodeURIComponent(`${origin}/jwks.json`)
    origin = await (await fetch(CONTROL, { method: 'POST' })).text()
    workerEnv = { ...workerEnv, JWT_JWKS_URL: `${origin}/jwks.json` }
    await serve(key, `?status=302&location=${elsewhere}`)
    expect(await codeOf(await get(await tokenBy(key)))).toBe('token_keys_unreachable')
  })

  it('answers 503 if the identity provider serves only a malformed key', async () => {
    const key = await providerKey('ES256')
    await serve({ ...key, jwk: { ...key.jwk, x: key.jwk.y ?? '' } })
    expect(await codeOf(await get(await tokenBy(key)))).toBe('token_keys_unreachable')
  })

  it('answers 503 if the identity provider does not answer in time', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValueOnce(AbortSignal.abort())
    expect(await codeOf(await get(await tokenBy(key)))).toBe('token_keys_unreachable')
    expect(timeout).toHaveBeenCalledWith(5_000)
  })

  it('ignores a time-out that comes after the answer', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    const late = Promise.withResolvers<void>()
    vi.spyOn(scheduler, 'wait').mockReturnValueOnce(late.promise)
    expect((await get(await tokenBy(key))).status).toBe(200)
    late.resolve()
    const unknown = await tokenBy({ ...key, kid: 'unknown' })
    expect(await codeOf(await get(unknown))).toBe('token_invalid')
  })

  it('does not leave later requests waiting for a fetch that never ends', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    const token = await tokenBy(key)
    const fetching = vi.spyOn(globalThis, 'fetch')
    const waiting = vi.spyOn(scheduler, 'wait')
    fetching.mockReturnValueOnce(new Promise<Response>(() => {}))
    waiting.mockResolvedValueOnce()
    const logs = recordLogs()
    expect(await codeOf(await get(token))).toBe('token_keys_unreachable')
    expect(waiting).toHaveBeenCalledWith(6_000)
    expect(logs.text()).toContain('The fetch of JWT_JWKS_URL took too long')
    vi.setSystemTime(Date.now() + 5_001)
    expect((await get(token)).status).toBe(200)

    vi.setSystemTime(Date.now() + 31_000)
    fetching.mockReturnValueOnce(new Promise<Response>(() => {}))
    waiting.mockResolvedValueOnce()
    const unknown = await tokenBy({ ...key, kid: 'unknown' })
    expect(await codeOf(await get(unknown))).toBe('token_keys_unreachable')
    expect((await get(token)).status).toBe(200)
  })

  it('does not end a later fetch when an earlier one takes too long', async () => {
    const key = await providerKey('ES256')
    await serve(key)
    const token = await tokenBy(key)
    const late = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const waiting = vi.spyOn(scheduler, 'wait')
    for (const { promise } of late) waiting.mockReturnValueOnce(promise)
    const answer = Promise.withResolvers<Response>()
    const fetching = vi.spyOn(globalThis, 'fetch')
    fetching.mockReturnValueOnce(new Promise<Response>(() => {}))
    fetching.mockReturnValueOnce(answer.promise)

    const [one, other] = [get(token), get(token)]
    await vi.waitFor(() => expect(waiting).toHaveBeenCalledTimes(2))
    late[0]?.resolve()
    expect(await codeOf(await one)).toBe('token_keys_unreachable')
    vi.setSystemTime(Date.now() + 5_001)
    const third = get(token)
    await vi.waitFor(() => expect(fetching).toHaveBeenCalledTimes(2))
    late[1]?.resolve()
    expect(await codeOf(await other)).toBe('token_keys_unreachable')
    const fourth = get(token)
    answer.resolve(Response.json({ keys: [key.jwk] }))
    expect([(await third).status, (await fourth).status]).toEqual([200, 200])
    expect(fetching).toHaveBeenCalledTimes(2)
  })

  it('answers 401 without a fetch for a bad token', async () => {
    await control('DELETE')
    expect((await get('garbage')).status).toBe(401)
  })
})
