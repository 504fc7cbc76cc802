import { describe, expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { matchesCredential, matchesHeader, neverPasses } from '../../src/providers/header-names.ts'
import { provider } from '../../src/providers/provider.ts'

const ACME = { label: 'Acme', origin: 'https://acme.test', header: 'x-acme-key', refusals: [] }

/** Whether a description may name a pattern in `response_headers`. */
const isAllowed = (pattern: string) =>
  provider.safeParse({ ...ACME, response_headers: [pattern] }).success

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

describe('a pattern of headers', () => {
  it.for([
    ['x-a', 'x-a', true],
    ['X-A', 'x-a', true],
    ['x-a', 'x-ab', false],
    ['x-a', 'x', false],
    ['x-*', 'x-a', true],
    ['x-*', 'x-', true],
    ['x-*', 'xa', false],
    ['x*', 'y-x', false],
  ] as const)('the pattern %s matches the header %s: %s', ([pattern, name, expected]) => {
    expect(matchesHeader(pattern, name)).toBe(expected)
  })

  it.for([
    ['authorization', true],
    ['Cookie', true],
    ['x-api-*', true],
    ['*', true],
    ['x-acme-*', false],
    ['x-api-key-2', false],
    ['accept', false],
  ] as const)('the pattern %s matches credentials: %s', ([pattern, expected]) => {
    expect(matchesCredential(pattern)).toBe(expected)
  })
})
