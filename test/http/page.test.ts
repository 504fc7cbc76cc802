/** The page at `/`: its policy, and what the policy lets it connect to. */

import { expect, it, onTestFinished, vi } from 'vitest'
import { env } from '../isolate.ts'
import { call, recordLogs } from '../support.ts'

/** The part of the page's policy that says where it may connect. */
async function connections(changes: Partial<Env>): Promise<string> {
  const response = await call('GET', '/', { env: changes })
  const policy = response.headers.get('Content-Security-Policy') ?? ''
  return policy.split('; ').find((directive) => directive.startsWith('connect-src')) ?? ''
}

const ENDPOINT = 'https://pool.auth.test/oauth2/token'

type Answer = (issuer: string) => Response | Promise<Response>

/** Metadata with this token endpoint. */
function name(token_endpoint: unknown): Answer {
  return (issuer) => Response.json({ issuer, token_endpoint })
}

/** An identity provider that nobody has asked yet. Returns the URLs that the vault asks. */
function standForProvider(answer: Answer, host = `id-${crypto.randomUUID()}.test`, path = '') {
  const issuer = `https://${host}${path}`
  const urls: string[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (url) => {
    if (url instanceof URL) urls.push(url.href)
    return answer(issuer)
  })
  onTestFinished(() => void vi.restoreAllMocks())
  return { issuer, urls, changes: { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: 'page' } }
}

it('lets the page connect to the service alone without an identity provider', async () => {
  const { urls } = standForProvider(name(ENDPOINT))
  expect((await connections({})).trim()).toBe("connect-src 'self'")
  expect(urls).toEqual([])
})

it.for<[name: string, answer: Answer, more: string]>([
  ['on its own host', (issuer) => name(`${new URL(issuer).origin}/token`)(issuer), ''],
  ['on another host', name(ENDPOINT), ' https://pool.auth.test'],
  ['on another port', name('https://pool.auth.test:8443/t'), ' https://pool.auth.test:8443'],
])(
  'lets the page connect to an identity provider with a token endpoint %s',
  async ([, answer, more]) => {
    const { issuer, changes } = standForProvider(answer)
    expect(await connections(changes)).toBe(`connect-src 'self' ${issuer}${more}`)
  },
)

it.for([
  ['', '/.well-known/openid-configuration'],
  ['/', '/.well-known/openid-configuration'],
  ['/realms/one', '/realms/one/.well-known/openid-configuration'],
  ['/realms/one/', '/realms/one/.well-known/openid-configuration'],
])('asks the issuer with the path %j for its metadata once', async ([path, asked]) => {
  const { issuer, urls, changes } = standForProvider(name(ENDPOINT), undefined, path)
  const expected = `connect-src 'self' ${new URL(issuer).origin} https://pool.auth.test`
  expect([await connections(changes), await connections(changes)]).toEqual([expected, expected])
  expect(urls).toEqual([`${new URL(issuer).origin}${asked}`])
})

it.for<[what: string, answer: Answer]>([
  ['a token endpoint without TLS', name('http://pool.auth.test/token')],
  ['a token endpoint on localhost', name('http://localhost:8787/token')],
  ['a token endpoint on every host', name('https://*/token')],
  ['a token endpoint with a password', name('https://a:b@pool.auth.test/token')],
  ['a token endpoint that adds to the policy', name('https://a;sandbox/token')],
  ['a token endpoint that begins another policy', name('https://a,b/token')],
  ['a token endpoint that is a keyword', name("https://a'b/token")],
  ['a token endpoint that is not a URL', name('/oauth2/token')],
  ['a token endpoint that is not text', name(['https://pool.auth.test/'])],
  ['no token endpoint', name(undefined)],
  ['the metadata of another issuer', () => name(ENDPOINT)('https://evil.test')],
  ['the metadata of an issuer with a slash', (issuer) => name(ENDPOINT)(`${issuer}/`)],
  ['metadata that is a list', () => Response.json([])],
  ['metadata that is not JSON', () => new Response('<h1>Welcome</h1>')],
  [
    'a status of 500',
    (issuer) => new Response(JSON.stringify({ issuer, token_endpoint: ENDPOINT }), { status: 500 }),
  ],
  ['a redirect', () => Response.redirect('https://evil.test/')],
  ['nothing', async () => Promise.reject(new TypeError('Network connection lost'))],
])('lets the page connect to the issuer alone if that answers with %s', async ([, answer]) => {
  recordLogs()
  const { issuer, changes } = standForProvider(answer)
  expect((await connections(changes)).trim()).toBe(`connect-src 'self' ${issuer}`)
})

it('asks an identity provider again that did not answer, and logs why', async () => {
  const logs = recordLogs()
  let isUp = false
  const { issuer, urls, changes } = standForProvider((asked) =>
    isUp ? name(ENDPOINT)(asked) : new Response('', { status: 503 }),
  )
  const alone = `connect-src 'self' ${issuer}`
  expect([await connections(changes), await connections(changes)]).toEqual([alone, alone])
  expect(urls).toHaveLength(1)
  expect(logs.events().filter(({ event }) => event !== 'request')).toMatchObject([
    {
      level: 'warn',
      event: 'sign_in_discovery_failed',
      error: { message: 'OIDC_ISSUER answered with 503' },
    },
  ])
  isUp = true
  vi.setSystemTime(Date.now() + 10_000)
  onTestFinished(() => void vi.useRealTimers())
  expect(await connections(changes)).toBe(`${alone} https://pool.auth.test`)
})

it('notices within ten minutes that the token endpoint has moved', async () => {
  let endpoint = ENDPOINT
  const { issuer, changes } = standForProvider((asked) => name(endpoint)(asked))
  const first = await connections(changes)
  endpoint = 'https://other.test/token'
  expect(await connections(changes)).toBe(first)
  vi.setSystemTime(Date.now() + 600_000)
  onTestFinished(() => void vi.useRealTimers())
  expect(await connections(changes)).toBe(`connect-src 'self' ${issuer} https://other.test`)
})

it('waits two seconds for an identity provider that never answers', async () => {
  recordLogs()
  const limit = new AbortController()
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(limit.signal)
  const { issuer, changes } = standForProvider(
    async () =>
      new Promise<Response>((_resolve, reject) => {
        limit.signal.addEventListener('abort', () => reject(new Error('The limit has passed')))
        limit.abort()
      }),
  )
  expect((await connections(changes)).trim()).toBe(`connect-src 'self' ${issuer}`)
  expect(timeout.mock.calls).toEqual([[2_000]])
})

it.for<[what: string, issuer: string]>([
  ['an http: URL', 'http://id.test'],
  ['not a URL', "'unsafe-inline'"],
])('lets the page connect to the service alone if the issuer is %s', async ([, issuer]) => {
  const { urls } = standForProvider(name(ENDPOINT))
  expect((await connections({ OIDC_ISSUER: issuer })).trim()).toBe("connect-src 'self'")
  expect(urls).toEqual([])
})

it('adds nothing to the policy that the issuer has in its host', async () => {
  const { changes } = standForProvider(name(ENDPOINT), 'a;sandbox')
  expect((await connections(changes)).trim()).toBe("connect-src 'self' https://pool.auth.test")
})

it('serves the page to GET and HEAD, even if every other variable is wrong', async () => {
  const wrong = { JWT_SECRET_KEY: '', API_KEY_ENCRYPTION_KEY: '' }
  const page = await call('GET', '/', { env: wrong })
  expect([page.status, page.headers.get('Content-Type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(await page.text()).toContain('<!doctype html>')
  const head = await call('HEAD', '/', { env: wrong })
  expect([head.status, await head.text()]).toEqual([200, ''])
  expect((await call('POST', '/')).status).toBe(405)
})

it('gives the policy of a page to the page, and the stricter one to an unknown route', async () => {
  const page = await call('GET', '/')
  expect(page.headers.get('Content-Security-Policy')).toContain("script-src 'self'")
  expect(page.headers.get('X-Frame-Options')).toBe('DENY')
  const other = await call('GET', '/index')
  expect(other.headers.get('Content-Security-Policy')).toBe(
    "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  )
})

it('sets every security header of a page, on an error too', async () => {
  const provider = standForProvider(name(ENDPOINT))
  const headers = {
    'content-security-policy':
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
      `connect-src 'self' ${provider.issuer} https://pool.auth.test; base-uri 'none'; ` +
      "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; " +
      'trusted-types api-key-settings',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'origin-agent-cluster': '?1',
    'referrer-policy': 'no-referrer',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off',
    'x-download-options': 'noopen',
    'x-frame-options': 'DENY',
    'x-permitted-cross-domain-policies': 'none',
    'x-xss-protection': '0',
  }
  const page = await call('GET', '/', { env: provider.changes })
  expect(Object.fromEntries(page.headers)).toMatchObject(headers)
  recordLogs()
  const ASSETS = { ...env.ASSETS, fetch: async () => Promise.reject(new Error('no assets')) }
  const failed = await call('GET', '/', { env: { ...provider.changes, ASSETS } })
  expect([failed.status, Object.fromEntries(failed.headers)]).toMatchObject([500, headers])
})
