/** The page at `/`: its policy, and what the policy lets it connect to. */

import { expect, it } from 'vitest'
import { call } from '../support.ts'

const oidc = { OIDC_ISSUER: 'https://id.test/realm/', OIDC_CLIENT_ID: 'page' }

/** The part of the page's policy that says where it may connect. */
async function connections(changes: Partial<Env>): Promise<string | undefined> {
  const response = await call('GET', '/', { env: changes })
  const policy = response.headers.get('Content-Security-Policy')
  return policy?.split('; ').find((directive) => directive.startsWith('connect-src'))
}

it.for<[name: string, changes: Partial<Env>, expected: string]>([
  ['the service alone', {}, "connect-src 'self'"],
  ['the identity provider too', oidc, "connect-src 'self' https://id.test"],
  [
    'the service alone if the issuer is an http: URL',
    { OIDC_ISSUER: 'http://id.test' },
    "connect-src 'self'",
  ],
  [
    'the service alone if the issuer is not a URL',
    { OIDC_ISSUER: "'unsafe-inline'" },
    "connect-src 'self'",
  ],
])('lets the page connect to %s', async ([, changes, expected]) => {
  expect((await connections(changes))?.trim()).toBe(expected)
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
