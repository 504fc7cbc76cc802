import { describe, expect, it } from 'vitest'
import { nameKindFault, scopesOf } from '../../src/tokens/token-kind.ts'

const HEADER = { alg: 'HS256' }

describe('the kind of a token', () => {
  it.for([
    {},
    { type: 'access' },
    { typ: 'Bearer' },
    { token_use: 'access' },
    { token_type: 'access' },
    { token_type: 'Bearer' },
    { token_type: 'bearer' },
  ])('is that of an access token: %j', (claims) => {
    expect(nameKindFault(HEADER, claims)).toBeNull()
  })

  it.for<[claims: object, fault: string]>([
    [
      { token_type: 'BEARER' },
      'Its "token_type" is not "access": send the access token, not an ID or refresh token.',
    ],
    [
      { typ: 'access' },
      'Its "typ" is not "Bearer": send the access token, not an ID or refresh token.',
    ],
    [
      { events: {} },
      'It has "events", so it is a logout token or a security event: send the access token.',
    ],
    [
      { cnf: null },
      'It is bound to a key ("cnf"): this service only accepts tokens that are not bound to one.',
    ],
  ])('is another one: %j', ([claims, fault]) => {
    expect(nameKindFault(HEADER, { ...claims })).toBe(fault)
  })

  it.for<[typ: string, isAccess: boolean]>([
    ['at+jwt', true],
    ['Application/JWT', true],
    ['jwt/application/', false],
    ['xjwt', false],
  ])('is in the typ of its header: %s', ([typ, isAccess]) => {
    const fault = 'The "typ" of its header must be that of an access token: JWT or at+jwt.'
    expect(nameKindFault({ ...HEADER, typ }, {})).toBe(isAccess ? null : fault)
  })
})

describe('the scopes of a token', () => {
  it.for<[claims: object, scopes: string[]]>([
    [{}, []],
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scp: 'a' }, ['a']],
    [{ scp: ['a', 'b'] }, ['a', 'b']],
    [{ scope: 'a', scp: ['b c'] }, ['a', 'b', 'c']],
    [{ scope: { a: true }, scp: [1, null, 'b'] }, ['b']],
  ])('are read from %j', ([claims, scopes]) => {
    expect(scopesOf({ ...claims })).toEqual(scopes)
  })
})
