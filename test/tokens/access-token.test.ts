import { env } from '../isolate.ts'
import { base64url, exportJWK, exportSPKI, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { tokenVerifier } from '../../src/tokens/access-token.ts'
import { call, keyPath, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'

const KEPT = someKey()
let userId: string

beforeAll(async () => {
  userId = await someUser()
  await putKey(userId, KEPT)
})

/** Signs claims with the JSON text `exp` as their `exp`, which JSON.stringify cannot write. */
const signText = async (exp: string) =>
  signJson(HS256, `{"sub":${JSON.stringify(userId)},"exp":${exp}}`)

const encode = (value: unknown) => base64url.encode(JSON.stringify(value))

/** Makes a JWS over any header and payload with WebCrypto, since a library would correct them. */
async function sign(header: object, claims: unknown, options = {}): Promise<string> {
  return signJson(header, JSON.stringify(claims), options)
}

async function signJson(
  header: object,
  json: string,
  { hash = 'SHA-256', secret = env.JWT_SECRET_KEY } = {},
): Promise<string> {
  const input = `${encode(header)}.${base64url.encode(json)}`
  const bytes = new TextEncoder().encode(secret)
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash }, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input))
  return `${input}.${base64url.encode(new Uint8Array(signature))}`
}

const HS256 = { alg: 'HS256', typ: 'JWT' }
const claims = (changes: object = {}) => ({ sub: userId, exp: inSeconds(600), ...changes })
const valid = async () => sign(HS256, claims())

/** Signs with the sender's own key, and puts that key into the header. */
async function signedByEmbedded(header: object): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair('RS256')
  return new SignJWT(claims())
    .setProtectedHeader({ alg: 'RS256', jwk: await exportJWK(publicKey), ...header })
    .sign(privateKey)
}

/** `text` with one bit of the base64url character at `index` flipped. */
function flipBit(text: string, index: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const flipped = alphabet[alphabet.indexOf(text.charAt(index)) ^ 1]
  return text.slice(0, index) + flipped + text.slice(index + 1)
}

const at = (token: string, part: number) => token.split('.', part).join('.').length + 1

type Refused = [name: string, token: () => Promise<string>, detail: string, code?: string]

const MALFORMED = 'It is not a JWT in compact form'
const FORGED = 'Its signature does not verify'
const ALG = 'Its "alg" is not one that this service accepts.'
const NOT_JWT = 'It is not a signed JWT.'
const EXP = 'Its "exp" has passed.'

const REFUSED: Refused[] = [
  ['one word', async () => 'garbage', MALFORMED],
  ['two parts', async () => (await valid()).split('.', 2).join('.'), MALFORMED],
  ['four parts', async () => `${await valid()}.AAAA`, MALFORMED],
  ['a trailing =', async () => `${await valid()}=`, MALFORMED],
  ['an inner space', async () => (await valid()).replace('.', '. '), MALFORMED],
  ['a trailing comma and more', async () => `${await valid()}, Bearer x`, MALFORMED],
  ['standard base64', async () => (await valid()).replace(/\.[^.]*$/, '.ab+/'), MALFORMED],
  ['altered spare bits', async () => flipBit(await valid(), (await valid()).length - 1), MALFORMED],
  ['a bit of the header', async () => flipBit(await valid(), 3), NOT_JWT],
  ['a bit of the payload', async () => flipBit(await valid(), at(await valid(), 1) + 20), FORGED],
  ['a bit of the signature', async () => flipBit(await valid(), at(await valid(), 2)), FORGED],
  ['an empty signature', async () => `${(await valid()).split('.', 2).join('.')}.`, FORGED],
  ['another key', async () => sign(HS256, claims(), { secret: 'x'.repeat(64) }), FORGED],
  ['alg none', async () => `${encode({ alg: 'none' })}.${encode(claims())}.`, ALG],
  ['alg None', async () => `${encode({ alg: 'None' })}.${encode(claims())}.`, ALG],
  ['alg NONE', async () => `${encode({ alg: 'NONE' })}.${encode(claims())}.`, ALG],
  ['alg nOnE, signed', async () => sign({ alg: 'nOnE' }, claims()), ALG],
  ['no alg', async () => sign({ typ: 'JWT' }, claims()), NOT_JWT],
  ['HS384', async () => sign({ alg: 'HS384' }, claims(), { hash: 'SHA-384' }), ALG],
  ['HS512', async () => sign({ alg: 'HS512' }, claims(), { hash: 'SHA-512' }), ALG],
  ['RS256 over an HMAC', async () => sign({ alg: 'RS256' }, claims()), ALG],
  ['an unknown crit', async () => sign({ ...HS256, crit: ['x'], x: 1 }, claims()), NOT_JWT],
  [
    'b64 false, critical',
    async () => sign({ ...HS256, crit: ['b64'], b64: false }, claims()),
    NOT_JWT,
  ],
  ['b64 false', async () => sign({ ...HS256, b64: false }, claims()), 'Its header has "b64"'],
  ['b64 true', async () => sign({ ...HS256, b64: true }, claims()), 'Its header has "b64"'],
  ['an embedded jwk', async () => signedByEmbedded({}), ALG],
  ['a jku', async () => signedByEmbedded({ jku: 'http://127.0.0.1:1/jwks.json' }), ALG],
  ['an x5c', async () => signedByEmbedded({ x5c: ['MIIB'] }), ALG],
  ['an HMAC by an embedded oct jwk', signedByEmbeddedSecret, FORGED],
  ['a header that is not an object', async () => sign([1], claims()), NOT_JWT],
  ['claims that are no object', async () => sign(HS256, [claims()]), NOT_JWT],
  ['claims that are a string', async () => sign(HS256, 'claims'), NOT_JWT],
  ['expired', async () => sign(HS256, claims({ exp: inSeconds(-60) })), EXP, 'token_expired'],
  ['exp 0', async () => sign(HS256, claims({ exp: 0 })), EXP, 'token_expired'],
  ['no exp', async () => sign(HS256, claims({ exp: undefined })), 'Its "exp" is missing.'],
  [
    'exp a string',
    async () => sign(HS256, claims({ exp: '9999999999' })),
    'Its "exp" is not a numb',
  ],
  ['exp null', async () => sign(HS256, claims({ exp: null })), 'Its "exp" is not a number.'],
  [
    'not yet valid',
    async () => sign(HS256, claims({ nbf: inSeconds(90) })),
    'Its "nbf" is in the f',
  ],
  ['nbf a string', async () => sign(HS256, claims({ nbf: 'now' })), 'Its "nbf" is not a number.'],
  ['no sub', async () => sign(HS256, claims({ sub: undefined })), 'Its "sub" is missing.'],
  ['sub 7.5', async () => sign(HS256, claims({ sub: 7.5 })), 'Its "sub" is not a string'],
  ['sub 2^53', async () => sign(HS256, claims({ sub: 2 ** 53 })), 'Its "sub" is not a string'],
  ['sub true', async () => sign(HS256, claims({ sub: true })), 'Its "sub" is not a string'],
  ['sub an array', async () => sign(HS256, claims({ sub: [userId] })), 'Its "sub" is not a string'],
  ['sub an object', async () => sign(HS256, claims({ sub: { id: 1 } })), 'Its "sub" is not a stri'],
  ['sub null', async () => sign(HS256, claims({ sub: null })), 'Its "sub" is not a string'],
  ['sub empty', async () => sign(HS256, claims({ sub: '' })), 'Its "sub" is empty.'],
  [
    'sub .',
    async () => sign(HS256, claims({ sub: '.' })),
    'Its "sub" is "." or "..", which cannot',
  ],
  ['sub ..', async () => sign(HS256, claims({ sub: '..' })), 'Its "sub" is "." or "..", which can'],
  ['sub 2,001 long', async () => sign(HS256, claims({ sub: 'x'.repeat(2_001) })), 'is over 2,000'],
  [
    'sub half a pair',
    async () => sign(HS256, claims({ sub: '\uD800' })),
    'is not well-formed Unicode',
  ],
  ['exp 1e999', async () => signText('1e999'), 'Its "exp" is not a time in seconds.'],
  ['exp 1e13', async () => signText('1e13'), 'Its "exp" is not a time in seconds.'],
  ['iat -1e999', async () => signText('9e9,"iat":-1e999'), 'Its "iat" is not a time in seconds.'],
  ['nbf -1e999', async () => signText('9e9,"nbf":-1e999'), 'Its "nbf" is not a time in seconds.'],
  ['iat a string', async () => sign(HS256, claims({ iat: '1' })), 'Its "iat" is not a number.'],
  [
    'an aud, with none configured',
    async () => sign(HS256, claims({ aud: 'x' })),
    'It has an "aud"',
  ],
  ['an aud that is a number', async () => sign(HS256, claims({ aud: 5 })), 'It has an "aud"'],
  ['a list of aud', async () => sign(HS256, claims({ aud: ['x', 'y'] })), 'It has an "aud"'],
  ['a refresh token', async () => sign(HS256, claims({ type: 'refresh' })), 'Its "type" is not'],
  ['type Access', async () => sign(HS256, claims({ type: 'Access' })), 'Its "type" is not'],
  ['type null', async () => sign(HS256, claims({ type: null })), 'Its "type" is not'],
  ...(
    [
      ['typ', 'logout+jwt'],
      ['typ', 'application/secevent+jwt'],
      ['typ', 'dpop+jwt'],
      ['typ', 'oauth-authz-req+jwt'],
      ['typ', 'token-introspection+jwt'],
      ['typ', 'id_token'],
      ['typ', ''],
      ['typ', null],
      ['typ', ['at+jwt']],
    ] as const
  ).map(([name, typ]): Refused => [
    `a header with ${name} ${JSON.stringify(typ)}`,
    async () => sign({ alg: 'HS256', typ }, claims()),
    'The "typ" of its header must be that of an access token: JWT or at+jwt.',
  ]),
  ...(
    [
      [{ typ: 'ID' }, 'Its "typ" is not "Bearer"'],
      [{ typ: 'Refresh' }, 'Its "typ" is not "Bearer"'],
      [{ typ: 'Offline' }, 'Its "typ" is not "Bearer"'],
      [{ typ: 'Logout' }, 'Its "typ" is not "Bearer"'],
      [{ token_use: 'id' }, 'Its "token_use" is not "access"'],
      [{ token_type: 'refresh' }, 'Its "token_type" is not "access"'],
      [{ at_hash: 'x' }, 'It has "at_hash", so it is an ID token'],
      [{ c_hash: 'x' }, 'It has "c_hash", so it is an ID token'],
      [{ s_hash: 'x' }, 'It has "s_hash", so it is an ID token'],
      [{ events: {} }, 'It has "events", so it is a logout token or a security event'],
      [{ code: 'x', state: 'y' }, 'It has "code", so it is an authorization response'],
      [{ access_token: 'x' }, 'It has "access_token", so it is an authorization response'],
      [{ id_token: 'x' }, 'It has "id_token", so it is an authorization response'],
      [{ token_introspection: {} }, 'so it is an introspection response'],
      [{ cnf: { jkt: 'x' } }, 'It is bound to a key ("cnf")'],
      [{ cnf: { 'x5t#S256': 'x' } }, 'It is bound to a key ("cnf")'],
    ] as const
  ).map(([changes, detail]): Refused => [
    `claims with ${JSON.stringify(changes)}`,
    async () => sign(HS256, claims(changes)),
    detail,
  ]),
  ['60 KB', async () => sign(HS256, claims({ pad: 'x'.repeat(45_000) })), 'It is over 16384 char'],
]

async function signedByEmbeddedSecret(): Promise<string> {
  const secret = 'attacker chosen, and thirty-two bytes long'
  const jwk = { kty: 'oct', k: base64url.encode(secret) }
  return sign({ ...HS256, jwk }, claims(), { secret })
}

describe('a bad token', () => {
  it.for(REFUSED)('is refused: %s', async ([, token, detail, code = 'token_invalid']) => {
    const response = await call('PUT', keyPath(userId), {
      token: await token(),
      body: { api_key: 'sk-stolen' },
    })
    expect(response.status).toBe(401)
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"')
    expect(await response.json()).toEqual({
      error: code === 'token_expired' ? 'Token has expired' : 'Token is not valid',
      code,
      detail: expect.stringContaining(detail),
      request_id: expect.any(String),
    })
    expect(await storedKey(userId)).toBe(KEPT)
  })

  it('is refused if its HMAC secret is a public key', async () => {
    const pem = await exportSPKI((await generateKeyPair('RS256')).publicKey)
    const token = await sign(HS256, claims(), { secret: pem })
    expect((await call('GET', keyPath(userId), { token })).status).toBe(401)
  })
})

describe('a request without a token', () => {
  it.for([
    [undefined, 'The Authorization header is missing.'],
    ['', 'The Authorization header is missing.'],
    ['Bearer', 'The Authorization header must be "Bearer", a space and the token.'],
    ['Bearer ', 'The Authorization header must be "Bearer", a space and the token.'],
    ['Basic dXNlcjpwYXNz', 'The Authorization header must be "Bearer", a space and the token.'],
    ['Token abc', 'The Authorization header must be "Bearer", a space and the token.'],
  ] as const)('is refused: Authorization: %s', async ([authorization, detail]) => {
    const headers = authorization === undefined ? {} : { Authorization: authorization }
    const response = await call('PUT', keyPath(userId), { headers, body: { api_key: 'sk-1' } })
    expect(response.status).toBe(401)
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer')
    expect(await response.json()).toEqual({
      error: 'Authorization header with a Bearer token is required',
      code: 'token_missing',
      detail,
      request_id: expect.any(String),
    })
    expect(await storedKey(userId)).toBe(KEPT)
  })

  it('is refused even if the query, a cookie or the body holds one', async () => {
    const token = await valid()
    const response = await call('PUT', `${keyPath(userId)}?access_token=${token}&jwt=${token}`, {
      headers: { Cookie: `access_token_cookie=${token}` },
      body: { api_key: 'sk-stolen', access_token: token },
    })
    expect(await response.json()).toMatchObject({ code: 'token_missing' })
  })
})

describe('a good token', () => {
  it.for<[name: string, changes: JWTPayload]>([
    ['only the required claims', {}],
    [
      'the claims of flask-jwt-extended',
      { type: 'access', fresh: false, jti: 'id', iat: 1, nbf: 1, csrf: 'x' },
    ],
    ['any issuer, if none is configured', { iss: 'a' }],
    ['an empty audience', { aud: [] }],
    ['the last exp that a date can hold', { exp: 8.64e12 }],
    ['a nonce, as Keycloak before version 24', { typ: 'Bearer', nonce: 'x', azp: 'page' }],
    ['the claims of Cognito', { token_use: 'access', client_id: 'page' }],
    ['the claims of simplejwt', { token_type: 'access' }],
    ['the time and method of sign-in', { auth_time: 1, acr: '1', amr: ['pwd'], sid: 'x' }],
  ])('is accepted with %s', async ([, changes]) => {
    const token = await sign(HS256, claims(changes))
    expect((await call('GET', keyPath(userId), { token })).status).toBe(200)
  })

  it('is accepted with an audience of null', async () => {
    const token = await sign(HS256, claims({ aud: null }))
    expect((await call('GET', keyPath(userId), { token })).status).toBe(200)
  })

  it('is accepted with 16,384 characters, and not with more', async () => {
    // Base64url has 4 characters for 3 bytes, so some pad near this one gives the very length.
    const padded = async (pad: number) => sign(HS256, claims({ pad: 'x'.repeat(pad) }))
    const base = (await padded(0)).length
    const pad = Math.floor(((16_384 - base) * 3) / 4)
    const tokens = await Promise.all([-2, -1, 0, 1, 2].map(async (more) => padded(pad + more)))
    const statuses = await Promise.all(
      tokens.map(async (token) => (await call('GET', keyPath(userId), { token })).status),
    )
    expect(statuses).toEqual(tokens.map(({ length }) => (length > 16_384 ? 401 : 200)))
    expect(tokens.map(({ length }) => length)).toContain(16_384)
  })

  it.for(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'application/at+jwt', undefined])(
    'is accepted with the header typ %s',
    async (typ) => {
      const token = await sign({ alg: 'HS256', typ }, claims())
      expect((await call('GET', keyPath(userId), { token })).status).toBe(200)
    },
  )

  it.for([7, -1, 0, Number.MAX_SAFE_INTEGER])(
    'is accepted with the user id %d as a number',
    async (sub) => {
      const id = await someUser(String(sub))
      const token = await sign(HS256, { sub, exp: inSeconds(600) })
      expect((await call('GET', keyPath(id), { token })).status).toBe(200)
    },
  )

  it('is accepted if the issuer’s clock differs by at most 30 s', async () => {
    const statusOf = async (changes: JWTPayload) => {
      const token = await sign(HS256, claims(changes))
      return (await call('GET', keyPath(userId), { token })).status
    }
    expect(await statusOf({ exp: inSeconds(-25) })).toBe(200)
    expect(await statusOf({ exp: inSeconds(-31) })).toBe(401)
    expect(await statusOf({ nbf: inSeconds(29), iat: inSeconds(29) })).toBe(200)
    expect(await statusOf({ nbf: inSeconds(35) })).toBe(401)
  })

  it.for(['bearer', 'BEARER', 'Bearer  '])('is accepted with the scheme %j', async (scheme) => {
    const headers = { Authorization: `${scheme} ${await valid()}` }
    expect((await call('GET', keyPath(userId), { headers })).status).toBe(200)
  })
})

describe('JWT_ISSUER and JWT_AUDIENCE', () => {
  const required = { JWT_ISSUER: 'https://id.test/', JWT_AUDIENCE: 'vault' }

  it.for<[name: string, changes: JWTPayload]>([
    ['both right', { iss: 'https://id.test/', aud: 'vault' }],
    ['one of several audiences', { iss: 'https://id.test/', aud: ['x', 'vault'] }],
  ])('accept %s', async ([, changes]) => {
    const token = await mintToken({ sub: userId, ...changes })
    expect((await call('GET', keyPath(userId), { token, env: required })).status).toBe(200)
  })

  it.for<[name: string, changes: JWTPayload, detail: string]>([
    ['no issuer', { aud: 'vault' }, 'Its "iss" is missing.'],
    ['another issuer', { iss: 'https://id.test', aud: 'vault' }, 'Its "iss" is not the issuer'],
    ['no audience', { iss: 'https://id.test/' }, 'Its "aud" is missing.'],
    ['another audience', { iss: 'https://id.test/', aud: ['Vault'] }, 'Its "aud" does not name'],
  ])('refuse %s', async ([, changes, detail]) => {
    const token = await mintToken({ sub: userId, ...changes })
    const response = await call('GET', keyPath(userId), { token, env: required })
    expect(await response.json()).toMatchObject({
      code: 'token_invalid',
      detail: expect.stringContaining(detail),
    })
  })
})

describe('JWT_IDENTITY_CLAIM', () => {
  const named = { JWT_IDENTITY_CLAIM: 'uid' }

  it('names the claim with the user id', async () => {
    const token = await sign(HS256, { uid: userId, sub: 'another', exp: inSeconds(600) })
    expect((await call('GET', keyPath(userId), { token, env: named })).status).toBe(200)
    expect((await call('GET', keyPath(userId), { token })).status).toBe(403)
  })

  it('names a required claim', async () => {
    const response = await call('GET', keyPath(userId), { token: await valid(), env: named })
    expect(await response.json()).toMatchObject({ detail: 'Its "uid" is missing.' })
  })
})

describe('JWT_SCOPE', () => {
  const scoped = { JWT_SCOPE: 'keys:write' }
  const detailOf = async (changes: object) => {
    const token = await sign(HS256, claims(changes))
    const response = await call('GET', keyPath(userId), { token, env: scoped })
    const { detail = null } = await response.json<{ detail?: string }>()
    return [response.status, detail]
  }

  it.for([
    { scope: 'keys:write' },
    { scope: 'openid keys:write' },
    { scp: 'keys:write' },
    { scp: ['openid', 'keys:write'] },
    { scope: ['keys:write'] },
  ])('accepts a token with the scope in %j', async (changes) =>
    expect(await detailOf(changes)).toEqual([200, null]),
  )

  it.for([
    {},
    { scope: 'keys:write2' },
    { scope: 'keys:writ' },
    { scope: 'Keys:Write' },
    { scp: { 'keys:write': true } },
    { scopes: 'keys:write' },
  ])('refuses a token without the scope: %j', async (changes) =>
    expect(await detailOf(changes)).toEqual([
      401,
      'Neither its "scope" nor its "scp" has the scope that JWT_SCOPE requires.',
    ]),
  )
})

describe('an audience that is the page’s own client', () => {
  const entra = {
    JWT_AUDIENCE: 'client',
    OIDC_ISSUER: 'https://id.test/',
    OIDC_CLIENT_ID: 'client',
  }

  const ID_TOKEN = 'It has no scope, so it is an ID token: send the access token.'

  it.for<[name: string, changes: object, status: number, detail?: string]>([
    ['an ID token', {}, 401, ID_TOKEN],
    ['an access token for a user', { scp: 'keys' }, 200],
    ['an access token for an application', { roles: ['keys'] }, 200],
  ])('distinguishes tokens by their scope: %s', async ([, changes, status, detail]) => {
    const token = await sign(HS256, claims({ aud: 'client', ...changes }))
    const response = await call('GET', keyPath(userId), { token, env: entra })
    const body = await response.json<{ detail?: string }>()
    expect([response.status, body.detail]).toEqual([status, detail])
  })
})

describe('what a token says', () => {
  const verify = tokenVerifier(
    { kind: 'secret', secret: env.JWT_SECRET_KEY, issuer: undefined, audience: undefined },
    { identityClaim: 'sub', scope: null, pageClient: null },
  )

  it.for<[changes: JWTPayload, client: string | null]>([
    [{}, null],
    [{ client_id: 'app' }, 'app'],
    [{ azp: 'app' }, 'app'],
    [{ client_id: 'app', azp: 'other' }, 'app'],
    [{ client_id: '!~' }, '!~'],
    [{ client_id: 'x'.repeat(200) }, 'x'.repeat(200)],
    [{ client_id: 'x'.repeat(201) }, null],
    [{ client_id: '' }, null],
    [{ client_id: ' app' }, null],
    [{ client_id: 'app ' }, null],
    [{ client_id: 'app\n' }, null],
    [{ client_id: 'ä' }, null],
    [{ client_id: 7 }, null],
    [{ client_id: ['app'] }, null],
  ])('has the client of %j', async ([changes, client]) => {
    const token = await sign(HS256, claims({ scope: 'a b', ...changes }))
    expect(await verify(token)).toEqual({ userId, scopes: ['a', 'b'], client })
  })
})
