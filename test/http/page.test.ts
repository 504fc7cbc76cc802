import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { call, recordLogs } from '../support.ts'

const oidc = { OIDC_ISSUER: 'https://id.test/realm/', OIDC_CLIENT_ID: 'page' }

/** The part of the page's policy that says where it may connect. */
async function connections(changes: Partial<Env>): Promise<string | undefined> {
  const response = await call('GET', '/', { env: changes })
  const policy = response.headers.get('Content-Security-Policy')
  return policy?.split('; ').find((directive) => directive.startsWith('connect-src'))
}

describe('the sign-in configuration of the page', () => {
  it('is null if sign-in is not configured', async () => {
    expect(await (await call('GET', '/api/config')).json()).toEqual({ oidc: null })
  })

  it('holds the configured values, and no secret', async () => {
    const response = await call('GET', '/api/config', { env: oidc })
    const told = { issuer: oidc.OIDC_ISSUER, client_id: 'page', scope: 'openid', audience: null }
    expect(await response.json()).toEqual({ oidc: told })
    const all = { ...oidc, OIDC_SCOPE: 'openid email', OIDC_AUDIENCE: 'vault' }
    const other = await call('GET', '/api/config', { env: all })
    expect(await other.json()).toEqual({
      oidc: { ...told, scope: 'openid email', audience: 'vault' },
    })
  })

  it('answers server_misconfigured if it is incomplete', async () => {
    const logs = recordLogs()
    const response = await call('GET', '/api/config', { env: { OIDC_ISSUER: 'https://id.test' } })
    expect(await response.json()).toMatchObject({ code: 'server_misconfigured' })
    expect(logs.text()).toContain('OIDC_ISSUER and OIDC_CLIENT_ID are required together')
  })
})

describe("the page's policy", () => {
  it.for<[name: string, changes: Partial<Env>, expected: string]>([
    ['only the service', {}, "connect-src 'self'"],
    ['the identity provider', oidc, "connect-src 'self' https://id.test"],
    [
      'only the service if the issuer is an http: URL',
      { OIDC_ISSUER: 'http://id.test' },
      "connect-src 'self'",
    ],
    [
      'only the service if the issuer is not a URL',
      { OIDC_ISSUER: "'unsafe-inline'" },
      "connect-src 'self'",
    ],
  ])('lets the page connect to %s', async ([, changes, expected]) => {
    expect((await connections(changes))?.trim()).toBe(expected)
  })

  it('applies only to the page, and not to an unknown route', async () => {
    const response = await call('GET', '/index')
    expect(response.headers.get('Content-Security-Policy')).toBe(
      "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    )
    expect((await call('POST', '/', { env })).status).toBe(405)
  })
})
