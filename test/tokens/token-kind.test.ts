import { describe, expect, it } from 'vitest'
import { nameKindFault, rightsOf, scopesOf } from '../../src/tokens/token-kind.ts'

const HEADER = { alg: 'HS256' }
const OTHER_KIND = ': send the access token, not an ID or refresh token.'
const SEND_ACCESS = ': send the access token.'

describe('the claims that name a kind', () => {
  it.for([
    {},
    { type: 'access' },
    { typ: 'Bearer' },
    { token_use: 'access' },
    { token_type: 'access' },
    { token_type: 'Bearer' },
    { token_type: 'bearer' },
  ])('takes a token with the claims %j for an access token', (claims) => {
    expect(nameKindFault(HEADER, claims)).toBeNull()
  })

  it.for<[claims: object, fault: string]>([
    [{ type: 'Access' }, `Its "type" is not "access"${OTHER_KIND}`],
    [{ type: 'refresh' }, `Its "type" is not "access"${OTHER_KIND}`],
    [{ type: null }, `Its "type" is not "access"${OTHER_KIND}`],
    [{ typ: 'access' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'ID' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'Refresh' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'Offline' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ typ: 'Logout' }, `Its "typ" is not "Bearer"${OTHER_KIND}`],
    [{ token_use: 'id' }, `Its "token_use" is not "access"${OTHER_KIND}`],
    [{ token_type: 'BEARER' }, `Its "token_type" is not "access"${OTHER_KIND}`],
    [{ token_type: 'refresh' }, `Its "token_type" is not "access"${OTHER_KIND}`],
    [{ at_hash: 'x' }, `It has "at_hash", so it is an ID token${SEND_ACCESS}`],
    [{ c_hash: 'x' }, `It has "c_hash", so it is an ID token${SEND_ACCESS}`],
    [{ s_hash: 'x' }, `It has "s_hash", so it is an ID token${SEND_ACCESS}`],
    [{ events: {} }, `It has "events", so it is a logout token or a security event${SEND_ACCESS}`],
    [{ code: 'x', state: 'y' }, `It has "code", so it is an authorization response${SEND_ACCESS}`],
    [
      { access_token: 'x' },
      `It has "access_token", so it is an authorization response${SEND_ACCESS}`,
    ],
    [{ id_token: 'x' }, `It has "id_token", so it is an authorization response${SEND_ACCESS}`],
    [
      { token_introspection: {} },
      `It has "token_introspection", so it is an introspection response${SEND_ACCESS}`,
    ],
    ...[null, { jkt: 'x' }, { 'x5t#S256': 'x' }].map((cnf): [object, string] => [
      { cnf },
      'It is bound to a key ("cnf"): this service only accepts tokens that are not bound to one.',
    ]),
  ])('refuses a token with the claims %j', ([claims, fault]) => {
    expect(nameKindFault(HEADER, { ...claims })).toBe(fault)
  })
})

describe('the application tokens of Cloudflare Access', () => {
  it('takes type app for an access token only if issuer and audience were compared', () => {
    expect(nameKindFault(HEADER, { type: 'app' }, true)).toBeNull()
    expect(nameKindFault(HEADER, { type: 'app' })).toBe(`Its "type" is not "access"${OTHER_KIND}`)
  })

  it.for<object>([
    { type: 'org' },
    { type: 'App' },
    { type: ['app'] },
    { type: 'refresh' },
    { typ: 'app' },
    { token_use: 'app' },
    { token_type: 'app' },
    { type: 'app', at_hash: 'x' },
    { type: 'app', events: {} },
    { type: 'app', cnf: {} },
  ])('refuses %j even then', (claims) => {
    expect(nameKindFault(HEADER, { ...claims }, true)).not.toBeNull()
  })
})

describe('the typ of the header', () => {
  it.for(['JWT', 'jwt', 'at+jwt', 'AT+JWT', 'Application/JWT', 'application/at+jwt', undefined])(
    'takes a token with the header typ %j for an access token',
    (typ) => {
      expect(nameKindFault({ ...HEADER, ...(typ !== undefined && { typ }) }, {})).toBeNull()
    },
  )

  it.for<[typ: unknown]>([
    ['logout+jwt'],
    ['application/secevent+jwt'],
    ['dpop+jwt'],
    ['oauth-authz-req+jwt'],
    ['token-introspection+jwt'],
    ['id_token'],
    ['jwt/application/'],
    ['xjwt'],
    [''],
    [null],
    [['at+jwt']],
  ])('refuses a token with the header typ %j', ([typ]) => {
    const header = JSON.parse(JSON.stringify({ ...HEADER, typ }))
    expect(nameKindFault(header, {})).toBe(
      'The "typ" of its header must be that of an access token: JWT or at+jwt.',
    )
  })
})

it.for<[claims: object, scopes: string[]]>([
  [{}, []],
  [{ scope: 'a b' }, ['a', 'b']],
  [{ scope: ['a'] }, ['a']],
  [{ scp: 'a' }, ['a']],
  [{ scp: ['a', 'b'] }, ['a', 'b']],
  [{ scope: 'a', scp: ['b c'] }, ['a', 'b', 'c']],
  [{ scope: { a: true }, scp: [1, null, 'b'] }, ['b']],
  [{ scopes: 'a', roles: ['b'] }, []],
])('reads the scopes of %j', ([claims, scopes]) => {
  expect(scopesOf({ ...claims })).toEqual(scopes)
})

it.for<[claims: object, rights: string[]]>([
  [{ permissions: ['a', 'b'] }, ['a', 'b']],
  [{ scope: 'a b', scp: 'c', permissions: ['d'] }, ['a', 'b', 'c', 'd']],
  [{ permissions: 'a b' }, []],
  [{ permissions: ['a b'] }, ['a b']],
  [{ permissions: [['a'], { b: 1 }, 1, null] }, []],
  [{ permissions: { a: true } }, []],
  [{ permissions: null }, []],
])('reads the rights of %j', ([claims, rights]) => {
  expect(rightsOf({ ...claims })).toEqual(rights)
})
