import { describe, expect, it } from 'vitest'
import { relayedHeaders } from '../../src/relay/answer-headers.ts'
import { SECURITY_HEADERS } from '../../src/security-headers.ts'

const TARGET = { root: '/relay/openai', path: '/v1/chat?a=1' }
const CALLED = 'https://api.openai.test/v1/chat?a=1'

/** The headers that the relay makes of a provider's. */
function relayed(received: HeadersInit, allowedOrigin: string | null = null): Headers {
  const additions = { allowedOrigin, requestId: 'request-1', called: CALLED, target: TARGET }
  return relayedHeaders(new Headers(received), additions)
}

describe('a relayed answer', () => {
  it('an answer has the vault’s own headers, and no others without a provider’s', () => {
    expect(Object.fromEntries(relayed({}))).toEqual({
      ...Object.fromEntries(new Headers(SECURITY_HEADERS)),
      'cache-control': 'no-store',
      'content-security-policy': `sandbox; ${SECURITY_HEADERS['Content-Security-Policy']}`,
      vary: 'Origin',
      'x-vault-request-id': 'request-1',
    })
  })

  it('the page that called may read the answer, with all of its headers', () => {
    const headers = relayed({}, 'https://app.test')
    expect(headers.get('Access-Control-Allow-Origin')).toBe('https://app.test')
    expect(headers.get('Access-Control-Expose-Headers')).toBe('*')
  })

  it.for([
    'Content-Type',
    'Retry-After',
    'X-RateLimit-Remaining',
    'OpenAI-Processing-Ms',
    'X-Refresh',
    'Nelson',
    'My-Alt-Svc',
    'Expires-In',
    'X-Cache-Control',
  ])('keeps the provider’s %s', (name) => {
    expect(relayed({ [name]: 'a value' }).get(name)).toBe('a value')
  })

  it.for([
    'Access-Control-Allow-Origin',
    'Access-Control-Allow-Credentials',
    'Alt-Svc',
    'Clear-Site-Data',
    'Content-Security-Policy-Report-Only',
    'Cross-Origin-Opener-Policy',
    'Expires',
    'NEL',
    'Origin-Agent-Cluster',
    'Permissions-Policy',
    'Pragma',
    'Refresh',
    'Report-To',
    'Reporting-Endpoints',
    'Service-Worker-Allowed',
    'SourceMap',
    'Speculation-Rules',
    'WWW-Authenticate',
    'X-SourceMap',
  ])('drops the provider’s %s', (name) => {
    expect(relayed({ [name]: 'a value' }).get(name)).toBeNull()
  })

  it.for(['Cache-Control', ...Object.keys(SECURITY_HEADERS), 'X-Vault-Request-Id'])(
    'sets the vault’s own %s, not the provider’s',
    (name) => {
      expect(relayed({ [name]: 'a value' }).get(name)).toBe(relayed({}).get(name))
    },
  )

  it('an answer varies by the origin besides what the provider names', () => {
    expect(relayed({ Vary: 'Accept' }).get('Vary')).toBe('Accept, Origin')
  })
})

describe('a relayed redirect', () => {
  it.for<[location: string, to: string]>([
    ['/v2?b=1#c', '/relay/openai/v2?b=1#c'],
    ['next', '/relay/openai/v1/next'],
    ['https://api.openai.test/v2', '/relay/openai/v2'],
  ])('keeps a redirect on the vault: %s', ([location, to]) => {
    const headers = relayed({ Location: location })
    expect([headers.get('Location'), headers.get('X-Vault-Location')]).toEqual([to, null])
  })

  it.for(['https://other.test/v1', 'http://api.openai.test/v1', '//other.test', 'https://['])(
    'reports a redirect elsewhere, but does not send the client there: %s',
    (location) => {
      const headers = relayed({ Location: location })
      expect([headers.get('Location'), headers.get('X-Vault-Location')]).toEqual([null, location])
    },
  )
})
