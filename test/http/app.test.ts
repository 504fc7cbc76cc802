/** The app as a whole: its routes outside the keys, and its answer to everything that is not a route. */

import { describe, expect, it, vi } from 'vitest'
import {
  call,
  interceptD1,
  keyPath,
  recordLogs,
  mintToken,
  seenByProvider,
  someKeyUser,
  someUser,
} from '../support.ts'

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
  '/api/user',
  '/api/users/',
  '/api/health/',
  '/api/users/u/api-key/',
  '/api/users/u/api-keys/openai/',
  '/api/users/u/api-keys/open%0Aai/',
  '/api/users/u/api-keys//',
  '/relays/',
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

it.for<[method: string, path: string, env: object, status: number, code: string]>([
  ['GET', '/relay', {}, 404, 'not_found'],
  ['POST', '/relay/', {}, 404, 'not_found'],
  ['GET', '/relay//v1', {}, 404, 'not_found'],
  ['GET', '/relay/openai/v1', {}, 401, 'token_missing'],
  ['GET', '/relay/openai/v1', { RELAY_SCOPE: '' }, 404, 'not_found'],
  ['GET', '/relay/openai/v1', { JWT_SECRET_KEY: '' }, 500, 'server_misconfigured'],
  ['GET', '/relay/openai/v1', { CORS_ORIGINS: 'nowhere' }, 500, 'server_misconfigured'],
])('refuses %s %s, with %j, in the form that SDKs read', async ([method, path, env, ...answer]) => {
  recordLogs()
  const response = await call(method, path, { env })
  const [status, code] = answer
  expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([status, code])
  expect(await response.json()).toMatchObject({ type: 'error', error: { code } })
})

it('answers 405 in the form that SDKs read to a method that no provider gets', async () => {
  const token = await mintToken({ sub: await someUser(), scope: 'relay' })
  const response = await call('PROPFIND', '/relay/openai/v1', { token })
  expect(response.status).toBe(405)
  expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } })
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

/** Calls a provider for a user, and returns the answer's headers and the log lines. */
async function use(headers: Record<string, string> = {}) {
  const userId = await someKeyUser('sk-good-0123456789')
  const token = await mintToken({ sub: userId, scope: 'relay', client_id: 'notebook' })
  const logs = recordLogs()
  const sent = { 'X-Request-Id': 'request-1', ...headers }
  const env = { CORS_ORIGINS: 'https://app.test' }
  const response = await call('GET', '/relay/openai/v1/models', { token, headers: sent, env })
  return { userId, headers: response.headers, lines: logs.events() }
}

it('logs a use with its user, its caller, its provider and what the provider answered', async () => {
  const { userId, lines } = await use()
  expect(lines).toEqual([
    {
      level: 'info',
      event: 'request',
      request_id: 'request-1',
      method: 'GET',
      route: '/relay/:provider/*',
      status: 200,
      code: null,
      duration_ms: expect.any(Number),
      user_id: userId,
      caller: 'relay:notebook',
      provider: 'openai',
      provider_status: 200,
      key_source: 'own',
      condition: null,
    },
  ])
})

it('logs no status of a provider that did not answer, but why', async () => {
  vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('connect refused'))
  const { userId, lines } = await use()
  const [code, reason] = ['provider_unreachable', 'TypeError: connect refused']
  expect(lines).toMatchObject([{ status: 502, code, user_id: userId, provider: 'openai', reason }])
  expect(lines[0]).not.toHaveProperty('provider_status')
})

it('passes on the request id, and the origin of a page that may call', async () => {
  const { headers } = await use({ Origin: 'https://app.test' })
  expect(headers.get('X-Vault-Request-Id')).toBe('request-1')
  expect(headers.get('Access-Control-Allow-Origin')).toBe('https://app.test')
  const other = await use({ Origin: 'https://other.test' })
  expect(other.headers.get('Access-Control-Allow-Origin')).toBeNull()
})

it.for<[name: string, headers: Record<string, string>, code: string | null]>([
  ['a page that may call', { Origin: 'https://app.test' }, null],
  ['a client that is not a page', {}, null],
  ['any other page', { Origin: 'https://other.test' }, 'token_missing'],
  ['a page without an origin', { Origin: 'null' }, 'token_missing'],
])('the token in a subprotocol of %s: %j, %s', async ([, headers, code]) => {
  const apiKey = `sk-good-${crypto.randomUUID()}`
  const token = await mintToken({ sub: await someKeyUser(apiKey), scope: 'relay' })
  const logs = recordLogs()
  const protocols = `realtime, openai-insecure-api-key.${token}`
  const sent = { Upgrade: 'websocket', 'Sec-WebSocket-Protocol': protocols, ...headers }
  const env = { CORS_ORIGINS: 'https://app.test' }
  const response = await call('GET', '/relay/openai/v1/models', { headers: sent, env })
  expect(response.headers.get('X-Vault-Error')).toBe(code)
  const seen = await seenByProvider(apiKey)
  const credentials = seen.map(
    ({ headers: { 'sec-websocket-protocol': offered, authorization } }) => [offered, authorization],
  )
  const passed = [`realtime, openai-insecure-api-key.${apiKey}`, undefined]
  expect(credentials).toEqual(code === null ? [passed] : [])
  const told = logs.text() + JSON.stringify([...response.headers]) + (await response.text())
  for (const secret of [token, apiKey]) expect(told).not.toContain(secret)
})

it('logs no name that is not a provider', async () => {
  const token = await mintToken({ sub: await someUser(), scope: 'relay', azp: 'app' })
  const logs = recordLogs()
  const response = await call('GET', '/relay/sk-misplaced-key/v1', { token })
  expect(response.headers.get('X-Vault-Error')).toBe('unknown_provider')
  expect(logs.events()).toMatchObject([{ event: 'request', provider: null, caller: 'relay:app' }])
  expect(logs.text()).not.toContain('sk-misplaced')
})

it('logs the provider that default means', async () => {
  const token = await mintToken({ sub: await someUser(), scope: 'relay' })
  const logs = recordLogs()
  await call('GET', '/relay/default/v1', { token, env: { DEFAULT_PROVIDER: 'openai' } })
  expect(logs.events()).toMatchObject([{ code: 'no_api_key', provider: 'openai' }])
})

it.for<[name: string, headers: Record<string, string>, status: number]>([
  ['a program', {}, 200],
  ['a page of another origin', { Origin: 'https://evil.test' }, 401],
  ['an image on a page of another site', { 'Sec-Fetch-Site': 'cross-site' }, 401],
])('reads the header of JWT_HEADER_NAME of %s, and sends it to no provider', async (row) => {
  const [, headers, status] = row
  const apiKey = `sk-good-${crypto.randomUUID()}`
  const token = await mintToken({ sub: await someKeyUser(apiKey), scope: 'relay' })
  const vault = { JWT_HEADER_NAME: 'Cf-Access-Jwt-Assertion' }
  const sent = { ...headers, 'Cf-Access-Jwt-Assertion': token }
  const logs = recordLogs()
  const response = await call('GET', '/relay/openai/v1/models', { headers: sent, env: vault })
  expect(response.status).toBe(status)
  expect(await seenByProvider(apiKey)).toHaveLength(status === 200 ? 1 : 0)
  expect(await seenByProvider(token)).toEqual([])
  expect(logs.text()).not.toContain(token)
})
