/** The app as a whole: its routes outside the keys, and its answer to everything that is not a route. */

import { describe, expect, it } from 'vitest'
import { call, interceptD1, keyPath, recordLogs } from '../support.ts'

it.for(['POST', 'PATCH', 'PROPFIND'])('answers 405 to %s, with the methods', async (method) => {
  const response = await call(method, keyPath('anyone'))
  expect(response.status).toBe(405)
  const allowed = response.headers.get('Allow')?.split(', ') ?? []
  expect(allowed.toSorted()).toEqual(['DELETE', 'GET', 'HEAD', 'PUT'])
  expect(response.headers.get('X-Vault-Error')).toBe('method_not_allowed')
  expect(await response.json()).toMatchObject({ code: 'method_not_allowed' })
})

it.for([
  '/index',
  '/api',
  '/api/users',
  '/api/users/u',
  '/api/health/',
  '/api/users/u/api-key/',
  '/api/users/u/api-keys/openai/',
  '/api/users/u/api-keys//',
  '/relay/',
  '//',
  '/api/users//api-key',
  '/api/users/u/v/api-key',
  '/API/users/u/api-key',
  '/api/users/../api-key',
  '/api/users/%2e%2e/api-key',
])('answers 404 to %s, which is not a route', async (path) => {
  const response = await call('GET', path)
  expect(response.status).toBe(404)
  expect(await response.json()).toEqual({
    error: 'Not found',
    code: 'not_found',
    request_id: response.headers.get('X-Request-Id'),
  })
})

it('tells an anonymous caller of the health the kind of fault, and logs the rest', async () => {
  const logs = recordLogs()
  const DB = interceptD1(async () => Promise.reject(new Error('a fault of D1')))
  const response = await call('GET', '/api/health', { env: { DB } })
  expect(response.headers.get('Retry-After')).toBe('5')
  expect([response.status, await response.json()]).toEqual([
    503,
    {
      error: 'Service is not healthy',
      code: 'unhealthy',
      detail: 'The database did not answer.',
      request_id: response.headers.get('X-Request-Id'),
    },
  ])
  expect(logs.text()).toContain('a fault of D1')
})

describe('GET /api/config', () => {
  const oidc = { OIDC_ISSUER: 'https://id.test/realm/', OIDC_CLIENT_ID: 'page' }

  it('answers that nobody can sign in if sign-in is not configured', async () => {
    expect(await (await call('GET', '/api/config')).json()).toEqual({ oidc: null })
  })

  it('answers with the values for sign-in, and no secret', async () => {
    const response = await call('GET', '/api/config', { env: oidc })
    const told = { issuer: oidc.OIDC_ISSUER, client_id: 'page', scope: 'openid', audience: null }
    expect(await response.json()).toEqual({ oidc: told })
    const all = { ...oidc, OIDC_SCOPE: 'openid email', OIDC_AUDIENCE: 'vault' }
    const other = await call('GET', '/api/config', { env: all })
    const scope = 'openid email'
    expect(await other.json()).toEqual({ oidc: { ...told, scope, audience: 'vault' } })
  })

  it('answers server_misconfigured if the configuration of sign-in is incomplete', async () => {
    const logs = recordLogs()
    const response = await call('GET', '/api/config', { env: { OIDC_ISSUER: 'https://id.test' } })
    expect(await response.json()).toMatchObject({ code: 'server_misconfigured' })
    expect(logs.text()).toContain('OIDC_ISSUER and OIDC_CLIENT_ID are required together')
  })
})
