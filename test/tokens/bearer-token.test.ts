import { describe, expect, it } from 'vitest'
import { bearerToken } from '../../src/tokens/bearer-token.ts'

const NOT_BEARER = 'The Authorization header must be "Bearer", a space and the token.'
const MISSING = 'The Authorization header is missing.'

describe('an Authorization header', () => {
  it.for([
    ['Bearer a.b.c', 'a.b.c'],
    ['bEARER a', 'a'],
    ['Bearer   a', 'a'],
    ['Bearer a b', 'a b'],
  ])('has a token: %s', ([header, token]) => {
    expect(bearerToken(header)).toBe(token)
  })

  it.for<[header: string | undefined, detail: string]>([
    [undefined, MISSING],
    ['', MISSING],
    [' Bearer a', MISSING],
    ['Bearer a\nb', MISSING],
    ['Bearer', NOT_BEARER],
    ['Bearer ', NOT_BEARER],
    ['Bearera', NOT_BEARER],
    ['Basic a', NOT_BEARER],
    ['Bearer,a b', NOT_BEARER],
  ])('has no token: %j', ([header, detail]) => {
    expect(() => bearerToken(header)).toThrow(
      expect.objectContaining({ code: 'token_missing', detail }),
    )
  })
})
