import { describe, expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { neverPasses, responsePattern } from '../../src/providers/response-headers.ts'

const isAllowed = (pattern: string) => responsePattern.safeParse(pattern).success

describe('a header that never passes', () => {
  it.for([
    'set-cookie',
    'set-cookie2',
    'set-login',
    'accept-ch',
    'accept-ch-lifetime',
    'access-control-allow-origin',
    'content-security-policy-report-only',
    'sec-session-registration',
    'x-content-security-policy',
    'x-frame-options',
    'x-vault-error',
  ])('the header %s never passes, and no pattern means it', (name) => {
    expect(neverPasses(name)).toBe(true)
    const patterns = [name, name.toUpperCase(), `${name}*`, `${name.slice(0, -1)}*`, `${name[0]}*`]
    expect(patterns.filter(isAllowed)).toEqual([])
  })

  it.for(['content-type', 'request-id', 'nel-id', 'x-nel', 'expires-in', 'server', 'x-sendfiles'])(
    'the header %s may pass',
    (name) => {
      expect([neverPasses(name), isAllowed(name)]).toEqual([false, true])
    },
  )
})

describe('a pattern of response headers', () => {
  it.for(['a', 'acme-*', 'Acme-Version', 'x-acme-*', 'x-c', 'ratelimit*'])(
    'allows %s',
    (pattern) => {
      expect(isAllowed(pattern)).toBe(true)
    },
  )

  it.for(['', '*', '**', 'a*b', 'a b', 'a:', 'x*', 'x-c*', 'x-content*', 'access-control-acme'])(
    'refuses %j',
    (pattern) => {
      expect(isAllowed(pattern)).toBe(false)
    },
  )

  it('allows those of the built-in providers', () => {
    const own = Object.values(BUILT_IN).flatMap(({ response_headers = [] }) => response_headers)
    expect(own.length).toBeGreaterThan(5)
    expect(own.filter((pattern) => !isAllowed(pattern))).toEqual([])
  })
})
