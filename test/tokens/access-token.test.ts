import { SignJWT, type JWTPayload } from 'jose'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { tokenVerifier, type AccessToken } from '../../src/tokens/access-token.ts'
import { call, keyPath, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'
import { FORGERIES, WRONG_CLAIMS } from './refused-tokens.ts'
import { encode, HS256, SECRET, sign } from './signed-tokens.ts'

const claims = (changes: object = {}) => ({ sub: 'jane', exp: inSeconds(600), ...changes })

/** A verifier of tokens of the shared secret, which has verified no token yet. */
async function verifierOf(scope: string | null = null, secret = SECRET) {
  const rules = { identityClaim: 'sub', scope, pageClient: null, servers: null, teams: null }
  return tokenVerifier([{ kind: 'secret', secret }], rules)
}

const verify = async (token: string, scope?: string): Promise<AccessToken> =>
  (await verifierOf(scope))(token)

describe('a refused token', () => {
  it.for([...FORGERIES, ...WRONG_CLAIMS])(
    'refuses a token with %s',
    async ([, token, detail, code = 'token_invalid']) => {
      await expect(verify(await token())).rejects.toMatchObject({
        code,
        detail: expect.stringContaining(detail),
      })
    },
  )

  it.for<[code: string, error: string, changes: JWTPayload]>([
    ['token_expired', 'Token has expired', { exp: inSeconds(-60) }],
    ['token_invalid', 'Token is not valid', { type: 'refresh' }],
  ])('a request with a refused token is a 401 with %s, and changes nothing', async (row) => {
    const [code, error, changes] = row
    const [userId, kept] = [await someUser(), someKey()]
    await putKey(userId, kept)
    const token = await mintToken({ sub: userId, ...changes })
    const response = await call('PUT', keyPath(userId), { token, body: { api_key: 'sk-stolen' } })
    expect(response.status).toBe(401)
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"')
    const [detail, request_id] = [expect.any(String), expect.any(String)]
    expect(await response.json()).toEqual({ error, code, detail, request_id })
    expect(await storedKey(userId)).toBe(kept)
  })
})

describe('an accepted token', () => {
  it.for<[name: string, changes: object]>([
    ['the required claims alone', {}],
    [
      'the claims of flask-jwt-extended',
      { type: 'access', fresh: false, jti: 'id', iat: 1, nbf: 1, csrf: 'x' },
    ],
    ['any issuer, if none is configured', { iss: 'a' }],
    ['an empty audience', { aud: [] }],
    ['an audience of null', { aud: null }],
    ['the last exp that a date can hold', { exp: 8.64e12 }],
    ['a nonce, as Keycloak before version 24', { typ: 'Bearer', nonce: 'x', azp: 'page' }],
    ['the claims of Cognito', { token_use: 'access', client_id: 'page' }],
    ['the claims of simplejwt', { token_type: 'access' }],
    ['the time and method of sign-in', { auth_time: 1, acr: '1', amr: ['pwd'], sid: 'x' }],
  ])('accepts a token with %s', async ([, changes]) => {
    expect(await verify(await sign(HS256, claims(changes)))).toMatchObject({ userId: 'jane' })
  })

  it('accepts a token of 16,384 characters, and none that is longer', async () => {
    // Base64url has 4 characters for 3 bytes, so some pad near this one gives the very length.
    const padded = async (pad: number) => sign(HS256, claims({ pad: 'x'.repeat(pad) }))
    const base = (await padded(0)).length
    const pad = Math.floor(((16_384 - base) * 3) / 4)
    const tokens = await Promise.all([-2, -1, 0, 1, 2].map(async (more) => padded(pad + more)))
    const accepted = await Promise.all(
      tokens.map(async (token) => verify(token).then(Boolean, () => false)),
    )
    expect(accepted).toEqual(tokens.map(({ length }) => length <= 16_384))
    expect(tokens.map(({ length }) => length)).toContain(16_384)
  })

  it.for([7, -1, 0, Number.MAX_SAFE_INTEGER])('reads the user id %d, a number', async (sub) => {
    const token = await sign(HS256, claims({ sub }))
    expect(await verify(token)).toMatchObject({ userId: String(sub) })
  })

  it.for<[changes: JWTPayload, client: string | null]>([
    [{}, null],
    [{ client_id: 'app' }, 'app'],
    [{ azp: 'app' }, 'app'],
    [{ client_id: 'app', azp: 'app', cid: 'app', appid: 'app' }, 'app'],
    [{ client_id: null, azp: 'app' }, 'app'],
    [{ cid: 'app' }, 'app'],
    [{ appid: 'app' }, 'app'],
    [{ client_id: '!~' }, '!~'],
    [{ client_id: '' }, null],
    [{ client_id: ' app' }, null],
    [{ client_id: 'app ' }, null],
    [{ client_id: 'app\n' }, null],
    [{ client_id: 'ä' }, null],
    [{ client_id: 7 }, null],
    [{ client_id: ['app'] }, null],
  ])('reads of %j the client %j', async ([changes, client]) => {
    const token = await sign(HS256, claims({ scope: 'a b', ...changes }))
    expect(await verify(token)).toEqual({
      userId: 'jane',
      userFault: null,
      grants: [],
      scopes: ['a', 'b'],
      client,
      teams: { teams: [], isMissing: false, issuedAt: null },
    })
  })

  it('reads a client of 200 characters, and none that is longer', async () => {
    const clientOf = async (length: number) =>
      (await verify(await sign(HS256, claims({ client_id: 'x'.repeat(length) })))).client
    expect([await clientOf(200), await clientOf(201)]).toEqual(['x'.repeat(200), null])
  })
})

describe('a token that no source can verify', () => {
  const base64 = btoa('a secret of thirty-two bytes, and more')
  const bytes = (text: string) => Uint8Array.fromBase64(text)
  const decoded = async (payload: object) =>
    new SignJWT({ ...payload }).setProtectedHeader(HS256).sign(bytes(base64))
  const verifyBase64 = async (token: string) => (await verifierOf(null, base64))(token)
  const DECODED = 'Its issuer decoded JWT_SECRET_KEY from base64 before signing'
  const FORGED = 'Its signature does not verify'

  it.for<[name: string, token: () => Promise<string>, detail: string]>([
    ['that its issuer signed with the decoded secret', async () => decoded(claims()), DECODED],
    ['that is expired too', async () => decoded(claims({ exp: 0 })), DECODED],
    [
      'of another decoded secret',
      async () => sign(HS256, claims(), { secret: 'x'.repeat(32) }),
      FORGED,
    ],
    ['whose payload was changed', async () => swapPayload(await decoded(claims())), FORGED],
  ])('refuses a token %s, and says what it proves', async ([, token, detail]) => {
    for (const _ of ['the first time', 'again']) {
      await expect(verifyBase64(await token())).rejects.toMatchObject({
        code: 'token_invalid',
        detail: expect.stringContaining(detail),
      })
    }
  })

  it('accepts a token that is signed with the text of the secret, as before', async () => {
    const token = await sign(HS256, claims(), { secret: base64 })
    expect(await verifyBase64(token)).toMatchObject({ userId: 'jane' })
  })

  it.for([
    'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA',
    'eyJhbGciOiJSU0EtT0FFUCJ9.AAAA.AAAA.AAAA.AAAA',
    'a.b.c.d.e',
  ])('says that the token %j is encrypted, and what to ask for', async (token) => {
    await expect(verify(token)).rejects.toMatchObject({
      code: 'token_invalid',
      detail:
        'It has five parts, so it is encrypted (JWE): ask the identity provider for a token for this API, by its audience.',
    })
  })

  /** The token with the claims of another user. */
  function swapPayload(token: string): string {
    const [header, , signature] = token.split('.')
    return [header, encode(claims({ sub: 'mallory' })), signature].join('.')
  }
})

describe('the variables for tokens', () => {
  const required = { JWT_ISSUER: 'https://id.test/', JWT_AUDIENCE: 'vault' }
  const entra = { JWT_AUDIENCE: 'page', OIDC_ISSUER: 'https://id.test/', OIDC_CLIENT_ID: 'page' }
  const named = { JWT_IDENTITY_CLAIM: 'uid' }

  /** The status and the detail of a request for the user's key. */
  async function ask(userId: string, changes: JWTPayload, vault: Partial<Env>) {
    const token = await mintToken({ sub: userId, ...changes })
    const response = await call('GET', keyPath(userId), { token, env: vault })
    const { detail = '' } = await response.json<{ detail?: string }>()
    return [response.status, detail]
  }

  it.for<[name: string, changes: JWTPayload, vault: Partial<Env>]>([
    ['the issuer and the audience', { iss: 'https://id.test/', aud: 'vault' }, required],
    ['one of several audiences', { iss: 'https://id.test/', aud: ['x', 'vault'] }, required],
    ['the scope of JWT_SCOPE', { scope: 'openid keys:write' }, { JWT_SCOPE: 'keys:write' }],
    ['a scope, to the page’s own client', { aud: 'page', scp: 'keys' }, entra],
    ['a role, to the page’s own client', { aud: 'page', roles: ['keys'] }, entra],
  ])('a vault with the variable accepts a token with %s', async ([, changes, vault]) => {
    expect(await ask(await someUser(), changes, vault)).toEqual([200, ''])
  })

  it.for<[name: string, changes: JWTPayload, vault: Partial<Env>, detail: string]>([
    ['no issuer', { aud: 'vault' }, required, 'Its "iss" is missing.'],
    [
      'another issuer',
      { iss: 'https://id.test', aud: 'vault' },
      required,
      'Its "iss" is not the issuer that this service trusts.',
    ],
    ['no audience', { iss: 'https://id.test/' }, required, 'Its "aud" is missing.'],
    [
      'another audience',
      { iss: 'https://id.test/', aud: ['Vault'] },
      required,
      'Its "aud" does not name this service.',
    ],
    ['no claim of JWT_IDENTITY_CLAIM', {}, named, 'Its "uid" is missing.'],
    [
      'no scope of JWT_SCOPE',
      {},
      { JWT_SCOPE: 'keys:write' },
      'None of its "scope", "scp" and "permissions" has the scope that JWT_SCOPE requires.',
    ],
    [
      'no scope, to the page’s own client',
      { aud: 'page' },
      entra,
      'It has no scope, so it is an ID token: send the access token.',
    ],
  ])('a vault with the variable refuses a token with %s', async ([, changes, vault, detail]) => {
    expect(await ask(await someUser(), changes, vault)).toEqual([401, detail])
  })

  it('JWT_IDENTITY_CLAIM names the claim with the user id', async () => {
    const userId = await someUser()
    const token = await mintToken({ uid: userId, sub: 'another' })
    expect((await call('GET', keyPath(userId), { token, env: named })).status).toBe(200)
    expect((await call('GET', keyPath(userId), { token })).status).toBe(403)
  })

  it.for([
    { scope: 'keys:write' },
    { scope: 'openid keys:write' },
    { scp: 'keys:write' },
    { scp: ['openid', 'keys:write'] },
    { scope: ['keys:write'] },
    { permissions: ['keys:read', 'keys:write'] },
    { scope: 'openid', permissions: ['keys:write'] },
  ])('JWT_SCOPE accepts a token with %j', async (changes) => {
    const token = await sign(HS256, claims(changes))
    expect(await verify(token, 'keys:write')).toMatchObject({ userId: 'jane' })
  })

  it.for([
    {},
    { scope: 'keys:write2' },
    { scope: 'keys:writ' },
    { scope: 'Keys:Write' },
    { scp: { 'keys:write': true } },
    { scopes: 'keys:write' },
    { permissions: 'keys:write' },
    { permissions: ['openid keys:write'] },
    { permissions: { 'keys:write': true } },
    { permissions: [['keys:write'], null, 1] },
    { role: 'keys:write', roles: ['keys:write'] },
  ])('JWT_SCOPE refuses a token with %j', async (changes) => {
    const detail =
      'None of its "scope", "scp" and "permissions" has the scope that JWT_SCOPE requires.'
    const token = await sign(HS256, claims(changes))
    await expect(verify(token, 'keys:write')).rejects.toMatchObject({
      code: 'token_invalid',
      detail,
    })
  })
})

describe('the clock', () => {
  /** The beginning of a second. */
  const NOW = Date.parse('2026-11-25T12:00:00.000Z')
  const NOW_S = NOW / 1_000

  const OK = 'accepted'
  const ENDED = 'token_expired: Its "exp" has passed.'
  const FUTURE = 'token_invalid: Its "nbf" is in the future.'

  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW }))
  afterEach(() => vi.useRealTimers())

  const ask = async (changes: JWTPayload) =>
    verify(await sign(HS256, { sub: 'jane', ...changes })).then(
      () => OK,
      ({ code, detail }) => `${code}: ${detail}`,
    )

  // As flask-jwt-extended makes them: `iat` and `nbf` are the issuer's present.
  it.for<[name: string, off: number, lifetime: number, answer: string]>([
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
  ])('judges a new token of an issuer whose clock is %s', async ([, off, lifetime, answer]) => {
    const iat = NOW_S + off
    expect(await ask({ iat, nbf: iat, exp: iat + lifetime })).toBe(answer)
  })

  it.for([30, 59, 61, 3_600])(
    'accepts a token without nbf whose iat is %i s ahead',
    async (off) => {
      expect(await ask({ iat: NOW_S + off, exp: NOW_S + off + 900 })).toBe(OK)
    },
  )

  it.for<[name: string, claims: JWTPayload, ms: number, answer: string]>([
    ['accepts a token before its exp', { exp: NOW_S }, -1, OK],
    ['accepts a token at its exp', { exp: NOW_S }, 0, OK],
    ['accepts a token until 30 s after its exp', { exp: NOW_S }, 29_999, OK],
    ['refuses a token 30 s after its exp', { exp: NOW_S }, 30_000, ENDED],
    ['refuses a token until 30 s before its nbf', { nbf: NOW_S, exp: 9e9 }, -30_001, FUTURE],
    ['accepts a token 30 s before its nbf', { nbf: NOW_S, exp: 9e9 }, -30_000, OK],
    ['accepts a token in the fraction of a second of its exp', { exp: NOW_S + 0.5 }, 30_499, OK],
    ['refuses a token after the fraction of a second', { exp: NOW_S + 0.5 }, 31_000, ENDED],
    // 2^31 s is 2038-01-19T03:14:08Z.
    ['accepts a token after 32 bits of time', { exp: 2 ** 31 + 60 }, 2 ** 31 * 1_000 - NOW, OK],
    [
      'refuses a token at its end after 32 bits',
      { exp: 2 ** 31 },
      2 ** 31 * 1_000 + 3e4 - NOW,
      ENDED,
    ],
    ['accepts a token that ends in the year 9999', { exp: 253_402_300_799 }, 0, OK],
  ])('%s', async ([, changes, ms, answer]) => {
    vi.setSystemTime(NOW + ms)
    expect(await ask(changes)).toBe(answer)
  })
})
