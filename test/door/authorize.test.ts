import { describe, expect, it } from 'vitest'
import { authorizeRelay, bearerToken, namedToken, requestToken } from '../../src/door/authorize.ts'
import { findSlot } from '../../src/keys/slot-name.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import {
  call,
  interceptD1,
  mintToken,
  someKey,
  someKeyUser,
  someUser,
  keyPath,
  putKey,
  storedKey,
  tightLimiter,
} from '../support.ts'

const PATH = '/relay/openai/v1/models'

/** Lets a request to `provider` through, which has these headers. */
async function authorize(
  headers: Record<string, string>,
  { provider = 'openai', vault = env }: { provider?: string; vault?: Env } = {},
) {
  const service = await openService(vault)
  return authorizeRelay(service, findSlot(service.settings, provider), new Headers(headers))
}

const tokenOf = async (claims: Record<string, unknown> = {}) =>
  mintToken({ sub: 'jane', scope: 'relay', ...claims })

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` })

/** A user whose token names neither a client nor a team. */
const JANE = { userId: 'jane', caller: null, team: null, teamFault: null }

const MISSING_SCOPE =
  'None of its "scope", "scp" and "permissions" has the scope that RELAY_SCOPE names.'

describe('the scope of the relay', () => {
  it.for<[name: string, claims: Record<string, unknown>]>([
    ['the scope', { scope: 'relay' }],
    ['the scope among others', { scope: 'openid relay' }],
    ['scp as a string', { scope: undefined, scp: 'openid relay' }],
    ['scp as a list', { scope: undefined, scp: ['openid', 'relay'] }],
    ['permissions', { scope: 'openid', permissions: ['relay'] }],
  ])('lets a token through that has %s', async ([, claims]) => {
    const token = await tokenOf(claims)
    expect(await authorize(bearer(token))).toEqual(JANE)
  })

  it.for<[name: string, claims: Record<string, unknown>]>([
    ['no scope', { scope: undefined }],
    ['a part of its name', { scope: 'rel ay' }],
    ['another case', { scope: 'Relay' }],
    ['a role of its name', { scope: undefined, roles: ['relay'] }],
    ['permissions as a text', { scope: undefined, permissions: 'relay' }],
  ])('refuses a token that has %s instead of the scope', async ([, claims]) => {
    const token = await tokenOf(claims)
    await expect(authorize(bearer(token))).rejects.toMatchObject({
      code: 'scope_missing',
      detail: MISSING_SCOPE,
    })
  })

  it('refuses a token without the scope before anything is read', async () => {
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const token = await mintToken({ sub: await someUser() })
    const response = await call('GET', PATH, { token, env: { DB } })
    expect([response.status, trips]).toEqual([403, 0])
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer error="insufficient_scope"')
    expect(await response.json()).toMatchObject({
      error: { code: 'scope_missing', detail: MISSING_SCOPE },
    })
  })
})

describe('a token that a page can send without a header of its own', () => {
  it.for<[name: string, query: string, headers: (token: string) => Record<string, string>]>([
    ['the query', '?key=TOKEN&access_token=TOKEN', () => ({})],
    ['a cookie', '', (token) => ({ Cookie: `access_token=${token}; token=${token}` })],
    [
      'the subprotocol of a WebSocket, from a page that is not listed',
      '',
      (token) => ({
        Upgrade: 'websocket',
        Origin: 'https://evil.test',
        'Sec-WebSocket-Protocol': `realtime, openai-insecure-api-key.${token}`,
      }),
    ],
  ])('refuses a token in %s', async ([, query, headers]) => {
    const token = await mintToken({ sub: await someKeyUser(someKey()), scope: 'relay' })
    const path = PATH + query.replaceAll('TOKEN', token)
    const response = await call('GET', path, { headers: headers(token) })
    expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([401, 'token_missing'])
  })
})

describe('the header with the token', () => {
  const at = { origin: 'http://127.0.0.1:9', refusals: [] }
  const PROVIDERS = {
    header: { label: 'Header', header: 'X-Key', ...at },
    scheme: { label: 'Scheme', header: 'authorization', scheme: 'Key', ...at },
    both: { label: 'Both', header: 'X-Key', scheme: 'Key', ...at },
    paths: {
      label: 'Paths',
      header: 'X-Key',
      paths: [
        { prefix: '/openai/', header: 'Authorization', scheme: 'Token' },
        { prefix: '/other/', header: 'X-Other' },
      ],
      ...at,
    },
    bare: { label: 'Bare', header: 'authorization', ...at },
  }
  const vault = { ...env, PROVIDERS }

  it.for<[name: string, provider: string, sent: (token: string) => Record<string, string>]>([
    ['Authorization', 'header', bearer],
    ['the header of the provider’s SDK', 'header', (token) => ({ 'X-Key': token })],
    [
      'Authorization before the header of the SDK',
      'header',
      (token) => ({ ...bearer(token), 'X-Key': 'sk-other' }),
    ],
    ['the SDK’s own scheme', 'scheme', (token) => ({ Authorization: `Key ${token}` })],
    [
      'the SDK’s own scheme in another case',
      'scheme',
      (token) => ({ Authorization: `kEY ${token}` }),
    ],
    ['Bearer instead of the SDK’s own scheme', 'scheme', bearer],
    ['the SDK’s own header with its scheme', 'both', (token) => ({ 'X-Key': `Key ${token}` })],
    ['Authorization instead of the SDK’s own header', 'both', bearer],
    ['Authorization without a scheme', 'bare', (token) => ({ Authorization: token })],
    ['Bearer although the SDK sends no scheme', 'bare', bearer],
    ['Authorization, for an unknown provider', 'nowhere', bearer],
    ['the header of most paths', 'paths', (token) => ({ 'X-Key': token })],
    ['the header of some paths', 'paths', (token) => ({ 'X-Other': token })],
    ['the scheme of some paths', 'paths', (token) => ({ Authorization: `Token ${token}` })],
    ['Bearer instead of the scheme of some paths', 'paths', bearer],
    ['the OpenAI SDK’s header, for Gemini', 'gemini', bearer],
    ['the OpenAI SDK’s header, for Anthropic', 'anthropic', bearer],
    ['the Anthropic SDK’s header, for DeepSeek', 'deepseek', (token) => ({ 'X-Api-Key': token })],
  ])('finds the token in %s', async ([, provider, sent]) => {
    const authorized = await authorize(sent(await tokenOf()), { provider, vault })
    expect(authorized).toEqual(JANE)
  })

  it.for<[name: string, provider: string, sent: (token: string) => Record<string, string>]>([
    ['no header', 'scheme', () => ({})],
    ['no header, for an unknown provider', 'nowhere', () => ({})],
    [
      'Authorization without a scheme, for an unknown provider',
      'nowhere',
      (token) => ({ Authorization: token }),
    ],
    ['the header of another provider', 'scheme', (token) => ({ 'X-Key': token })],
    ['another scheme', 'scheme', (token) => ({ Authorization: `Basic ${token}` })],
    [
      'another scheme before the header of the SDK',
      'header',
      (token) => ({ Authorization: `Basic ${token}`, 'X-Key': token }),
    ],
    ['the SDK’s own header without its scheme', 'both', (token) => ({ 'X-Key': token })],
    ['Authorization without a scheme', 'header', (token) => ({ Authorization: token })],
    [
      'another scheme before the header of most paths',
      'paths',
      (token) => ({ Authorization: `Basic ${token}`, 'X-Key': token }),
    ],
    [
      'Authorization without the scheme of its paths',
      'paths',
      (token) => ({ Authorization: token }),
    ],
    ['another header than those of the paths', 'paths', (token) => ({ 'X-Third': token })],
    ['the Anthropic SDK’s header, for Gemini', 'gemini', (token) => ({ 'X-Api-Key': token })],
    ['the scheme of another provider', 'header', (token) => ({ Authorization: `Key ${token}` })],
  ])('finds no token in %s', async ([, provider, sent]) => {
    const authorized = authorize(sent(await tokenOf()), { provider, vault })
    await expect(authorized).rejects.toMatchObject({ code: 'token_missing' })
  })

  it('does not put a token together that has a space in it', async () => {
    const headers = { 'X-Key': `Key ${(await tokenOf()).replace('.', '. ')}` }
    const authorized = authorize(headers, { provider: 'both', vault })
    await expect(authorized).rejects.toMatchObject({ code: 'token_invalid' })
  })
})

describe('the subprotocol with the token', () => {
  const socket = (protocols: string, more = {}) => ({
    Upgrade: 'websocket',
    'Sec-WebSocket-Protocol': protocols,
    ...more,
  })

  it('finds the token of a browser in the subprotocol of its provider', async () => {
    const headers = socket(`realtime, openai-insecure-api-key.${await tokenOf()}`)
    expect(await authorize(headers)).toEqual(JANE)
  })

  it.for<[name: string, provider: string, sent: (token: string) => Record<string, string>]>([
    [
      'a request that opens no WebSocket',
      'openai',
      (token) => ({ 'Sec-WebSocket-Protocol': `openai-insecure-api-key.${token}` }),
    ],
    [
      'the subprotocol of another provider',
      'acme',
      (token) => socket(`openai-insecure-api-key.${token}`),
    ],
    ['a subprotocol without the prefix', 'openai', (token) => socket(`realtime, ${token}`)],
    ['the prefix alone', 'openai', () => socket('realtime, openai-insecure-api-key.')],
    [
      'a subprotocol beside another scheme',
      'openai',
      (token) => socket(`openai-insecure-api-key.${token}`, { Authorization: `Basic ${token}` }),
    ],
  ])('finds no token in %s', async ([, provider, sent]) => {
    const authorized = authorize(sent(await tokenOf()), { provider })
    await expect(authorized).rejects.toMatchObject({ code: 'token_missing' })
  })

  it('takes the token of Authorization before that of a subprotocol', async () => {
    const headers = socket('openai-insecure-api-key.sk-other', bearer(await tokenOf()))
    expect(await authorize(headers)).toEqual(JANE)
  })
})

describe('the header of JWT_HEADER_NAME', () => {
  const NAME = 'X-Token'
  const vault = { ...env, JWT_HEADER_NAME: NAME }
  const MISSING = 'The Authorization header is missing.'
  const NEITHER = 'The X-Token header must be the token, or "Bearer", a space and the token.'

  it.for<[name: string, sent: (token: string) => Record<string, string>]>([
    ['it alone', (token) => ({ [NAME]: token })],
    ['it, with Bearer', (token) => ({ [NAME]: `Bearer ${token}` })],
    ['it, before Authorization', (token) => ({ [NAME]: token, Authorization: 'Bearer x' })],
    ['Authorization, without it', bearer],
    ['Authorization, as every relay', (token) => ({ Authorization: `bearer ${token}` })],
  ])('finds the token in %s', async ([, sent]) => {
    expect(await authorize(sent(await tokenOf()), { vault })).toMatchObject({ userId: 'jane' })
  })

  it.for<[name: string, sent: (token: string) => Record<string, string>, detail: string]>([
    ['nothing', () => ({}), MISSING],
    [
      'it, with another scheme',
      (token) => ({ ...bearer(token), [NAME]: `Basic ${token}` }),
      NEITHER,
    ],
  ])('finds no token in %s', async ([, sent, detail]) => {
    const refused = authorize(sent(await tokenOf()), { vault })
    await expect(refused).rejects.toMatchObject({ code: 'token_missing', detail })
  })

  it('does not try Authorization if the token in it is refused', async () => {
    const token = await tokenOf({ exp: 1 })
    const refused = authorize({ ...bearer(await tokenOf()), [NAME]: token }, { vault })
    await expect(refused).rejects.toMatchObject({ code: 'token_expired' })
    const without = await tokenOf({ scope: undefined })
    const lacking = authorize({ ...bearer(await tokenOf()), [NAME]: without }, { vault })
    await expect(lacking).rejects.toMatchObject({ code: 'scope_missing' })
  })
})

describe('the client of a token', () => {
  it.for(['client_id', 'azp', 'cid', 'appid'])('names the caller by its %s', async (claim) => {
    const name = crypto.randomUUID()
    const limited = { ...env, CALLER_LIMITER: tightLimiter() }
    const headers = bearer(await tokenOf({ [claim]: name }))
    expect(await authorize(headers, { vault: limited })).toMatchObject({ caller: `relay:${name}` })
    await authorize(headers, { vault: limited })
    const third = authorize(headers, { vault: limited })
    await expect(third).rejects.toMatchObject({ code: 'rate_limited' })
  })
})

describe('RELAY_SCOPE and RELAY_PROVIDERS', () => {
  it('an empty RELAY_SCOPE turns the relay off', async () => {
    const vault = { ...env, RELAY_SCOPE: '' }
    const off = authorize(bearer(await tokenOf()), { vault })
    await expect(off).rejects.toMatchObject({ code: 'not_found' })
    await expect(authorize({}, { vault })).rejects.toMatchObject({ code: 'not_found' })
    const response = await call('GET', PATH, { token: await tokenOf(), env: { RELAY_SCOPE: '' } })
    expect(response.status).toBe(404)
  })

  it('RELAY_PROVIDERS names the only providers of the relay', async () => {
    const vault = { ...env, RELAY_PROVIDERS: 'acme', DEFAULT_PROVIDER: 'openai' }
    const headers = bearer(await tokenOf())
    const allowed = JANE
    expect(await authorize(headers, { provider: 'acme', vault })).toEqual(allowed)
    for (const provider of ['openai', 'default', 'nowhere']) {
      const refused = authorize(headers, { provider, vault })
      await expect(refused).rejects.toMatchObject({ code: 'provider_not_granted' })
    }
  })

  it('RELAY_PROVIDERS names single slots, or providers with all their slots', async () => {
    const vault = { ...env, RELAY_PROVIDERS: 'acme,openai:work' }
    const headers = bearer(await tokenOf())
    for (const provider of ['acme', 'acme:any', 'openai:work', 'openai']) {
      await expect(authorize(headers, { provider, vault })).resolves.toMatchObject({ caller: null })
    }
    for (const provider of ['openai:home', 'anthropic']) {
      const refused = authorize(headers, { provider, vault })
      await expect(refused).rejects.toMatchObject({ code: 'provider_not_granted' })
    }
  })
})

describe('the limits of the relay', () => {
  it('RELAY_LIMITER limits the requests of each user', async () => {
    const vault = { ...env, RELAY_LIMITER: tightLimiter() }
    for (const sub of [crypto.randomUUID(), crypto.randomUUID()]) {
      const headers = bearer(await tokenOf({ sub }))
      await authorize(headers, { vault })
      await authorize(headers, { vault })
      const third = authorize(headers, { vault })
      await expect(third).rejects.toMatchObject({ code: 'rate_limited', retryAfter: 60 })
    }
  })

  it('CALLER_LIMITER limits the requests of each client', async () => {
    const vault = { ...env, CALLER_LIMITER: tightLimiter() }
    const azp = crypto.randomUUID()
    const headersOf = async (claims: Record<string, unknown>) => bearer(await tokenOf(claims))
    const from = async () => headersOf({ sub: crypto.randomUUID(), azp })
    expect(await authorize(await from(), { vault })).toMatchObject({ caller: `relay:${azp}` })
    await authorize(await from(), { vault })
    await expect(authorize(await from(), { vault })).rejects.toMatchObject({ code: 'rate_limited' })
    expect(await authorize(await headersOf({}), { vault })).toMatchObject({ caller: null })
  })

  it('a request that is refused is not counted', async () => {
    const vault = { ...env, RELAY_LIMITER: tightLimiter(), RELAY_PROVIDERS: 'openai' }
    const headers = bearer(await tokenOf({ sub: crypto.randomUUID() }))
    for (const _ of [1, 2, 3]) {
      const refused = authorize(headers, { provider: 'acme', vault })
      await expect(refused).rejects.toMatchObject({ code: 'provider_not_granted' })
    }
    expect(await authorize(headers, { vault })).toMatchObject({ caller: null })
  })
})

const NOT_BEARER = 'The Authorization header must be "Bearer", a space and the token.'
const MISSING = 'The Authorization header is missing.'

it.for([
  ['Bearer a.b.c', 'a.b.c'],
  ['bearer a', 'a'],
  ['BEARER a', 'a'],
  ['bEARER a', 'a'],
  ['Bearer   a', 'a'],
  ['Bearer a b', 'a b'],
])('finds the token in the Authorization header %j', ([header, token]) => {
  expect(bearerToken(header)).toBe(token)
})

it.for<[header: string | null | undefined, detail: string]>([
  [undefined, MISSING],
  [null, MISSING],
  ['', MISSING],
  [' Bearer a', MISSING],
  ['Bearer a\nb', MISSING],
  ['Bearer', NOT_BEARER],
  ['Bearer ', NOT_BEARER],
  ['Bearera', NOT_BEARER],
  ['Basic a', NOT_BEARER],
  ['Basic dXNlcjpwYXNz', NOT_BEARER],
  ['Token abc', NOT_BEARER],
  ['Bearer,a b', NOT_BEARER],
])('refuses the Authorization header %j: %s', ([header, detail]) => {
  expect(() => bearerToken(header)).toThrow(
    expect.objectContaining({ code: 'token_missing', detail }),
  )
})

describe('a header that JWT_HEADER_NAME names', () => {
  const NAME = 'Cf-Access-Jwt-Assertion'
  const sent = (value: string | null) =>
    new Headers({ Authorization: 'Bearer other', ...(value !== null && { [NAME]: value }) })

  it.for<[value: string, token: string]>([
    ['a.b.c', 'a.b.c'],
    ['Bearer a.b.c', 'a.b.c'],
    ['bEARER   a.b.c', 'a.b.c'],
    [' a.b.c ', 'a.b.c'],
    ['Bearera', 'Bearera'],
  ])('finds the token in the header %j', ([value, token]) => {
    expect(namedToken(sent(value), NAME)).toBe(token)
    expect(requestToken(sent(value), NAME.toLowerCase())).toBe(token)
  })

  it.for([
    '',
    ' ',
    'Bearer',
    'bearer ',
    'Basic a',
    'Bearer a b',
    'a, b',
    'a.b.c, Bearer d',
    'Token a',
  ])('refuses the header %j, and does not look into Authorization', (value) => {
    const detail = `The ${NAME} header must be the token, or "Bearer", a space and the token.`
    const refused = expect.objectContaining({ code: 'token_missing', detail })
    expect(() => namedToken(sent(value), NAME)).toThrow(refused)
    expect(() => requestToken(sent(value), NAME)).toThrow(refused)
  })

  it('the named header takes the place of Authorization', () => {
    expect(namedToken(sent(null), NAME)).toBeNull()
    expect(() => requestToken(sent(null), NAME)).toThrow(
      expect.objectContaining({ code: 'token_missing', detail: `The ${NAME} header is missing.` }),
    )
  })

  it('looks into Authorization alone if no header is named', () => {
    expect(namedToken(sent('a'), null)).toBeNull()
    expect(requestToken(sent('a'), null)).toBe('other')
  })
})

describe('a request without a token', () => {
  it.for<[name: string, headers: Record<string, string>, detail: string]>([
    ['no Authorization header', {}, MISSING],
    ['another scheme', { Authorization: 'Basic dXNlcjpwYXNz' }, NOT_BEARER],
  ])('a request with %s is a 401, and changes nothing', async ([, headers, detail]) => {
    const [userId, kept] = [await someUser(), someKey()]
    await putKey(userId, kept)
    const response = await call('PUT', keyPath(userId), { headers, body: { api_key: 'sk-1' } })
    expect(response.status).toBe(401)
    expect(response.headers.get('WWW-Authenticate')).toBe('Bearer')
    expect(await response.json()).toEqual({
      error: 'Authorization header with a Bearer token is required',
      code: 'token_missing',
      detail,
      request_id: expect.any(String),
    })
    expect(await storedKey(userId)).toBe(kept)
  })

  it('a token in the query, a cookie or the body has no effect', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const response = await call('PUT', `${keyPath(userId)}?access_token=${token}&jwt=${token}`, {
      headers: { Cookie: `access_token_cookie=${token}` },
      body: { api_key: 'sk-stolen', access_token: token },
    })
    expect(await response.json()).toMatchObject({ code: 'token_missing' })
    expect(await storedKey(userId)).toBeNull()
  })
})
