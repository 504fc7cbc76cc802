import { describe, expect, it } from 'vitest'
import { bearerToken, namedToken, requestToken } from '../../src/tokens/bearer-token.ts'
import { call, keyPath, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'

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
