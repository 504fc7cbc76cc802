/** What every API answer has: a line in the log, an id, and the headers for browsers. */

import { describe, expect, it } from 'vitest'
import { call, keyPath, mintToken, putKey, recordLogs, someKey, someUser } from '../support.ts'

describe('the log', () => {
  it('logs one line per request, with what happened and nothing that was sent', async () => {
    const logs = recordLogs()
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    await call('GET', `${keyPath(userId)}?secret=1`, { token, headers: { 'X-Request-Id': 'one' } })
    await call('PUT', keyPath(userId), { token, body: '{}', headers: { 'X-Request-Id': 'two' } })
    await call('PATCH', keyPath(userId), { headers: { 'X-Request-Id': 'three' } })
    await call('GET', '/nowhere?secret=1', { headers: { 'X-Request-Id': 'four' } })
    const line = { level: 'info', event: 'request', duration_ms: expect.any(Number) }
    const route = '/api/users/:userId/api-key'
    const notAllowed = { route: '/api/*', status: 405, code: 'method_not_allowed' }
    expect(logs.events()).toEqual([
      { ...line, request_id: 'one', method: 'GET', route, status: 200, code: null },
      { ...line, request_id: 'two', method: 'PUT', route, status: 400, code: 'api_key_missing' },
      { ...line, request_id: 'three', method: 'PATCH', ...notAllowed },
      { ...line, request_id: 'four', method: 'GET', route: '/*', status: 404, code: 'not_found' },
    ])
    expect(logs.text()).not.toContain(userId)
  })

  it.for<[code: string, status: number, options: { sub?: string; secret?: string; path?: string }]>(
    [
      ['token_missing', 401, {}],
      ['token_invalid', 401, { sub: 'one', secret: 'another secret of 32 bytes or more' }],
      ['not_your_own', 403, { sub: 'other' }],
      ['scope_missing', 403, { sub: 'one', path: '/relay/openai/v1/models' }],
    ],
  )('logs the refusal %s without the token or a user', async ([code, status, options]) => {
    const { sub, secret, path = keyPath('one') } = options
    const token = sub === undefined ? undefined : await mintToken({ sub }, secret)
    const logs = recordLogs()
    await call('GET', path, { token })
    expect(logs.events()).toMatchObject([{ event: 'request', method: 'GET', status, code }])
    expect(logs.events()[0]).not.toHaveProperty('user_id')
    expect(logs.text()).not.toContain(token ?? 'Bearer')
  })
})

describe('the request id', () => {
  it.for<[name: string, headers: Record<string, string>, id: string]>([
    ['X-Request-Id', { 'X-Request-Id': 'abc_123-=' }, 'abc_123-='],
    ['cf-ray before X-Request-Id', { 'X-Request-Id': 'own', 'cf-ray': '8f0-FRA' }, '8f0-FRA'],
    ['cf-ray', { 'cf-ray': '8f0a1b2c3d4e5f60-FRA' }, '8f0a1b2c3d4e5f60-FRA'],
    ['cf-ray for a bad X-Request-Id', { 'X-Request-Id': 'a b', 'cf-ray': '8f0-FRA' }, '8f0-FRA'],
  ])('takes the request id from %s', async ([, headers, id]) => {
    const response = await call('GET', keyPath('anyone'), { headers })
    expect(response.headers.get('X-Request-Id')).toBe(id)
    expect(await response.json()).toMatchObject({ request_id: id })
  })

  it.for<[name: string, headers: Record<string, string>]>([
    ['the request has none', {}],
    ['the sent one is too long', { 'X-Request-Id': 'x'.repeat(256) }],
    ['the sent one is malformed', { 'X-Request-Id': '{"a":1}', 'cf-ray': '<script>' }],
  ])('generates a request id if %s', async ([, headers]) => {
    const response = await call('GET', '/api/config', { headers })
    expect(response.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/)
  })
})

describe('browsers', () => {
  const env = {
    CORS_ORIGINS: 'https://app.test, http://localhost:5173, https://*.my-app.pages.dev',
  }
  const preflight = async (origin: string) =>
    call('OPTIONS', keyPath('anyone'), {
      env,
      headers: {
        Origin: origin,
        'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers':
          'authorization,baggage,cf-access-jwt-assertion,sentry-trace,x-csrf-token',
      },
    })

  it.for(['https://app.test', 'http://localhost:5173', 'https://a1b2.my-app.pages.dev'])(
    'lets a page of the origin %s call, with any header and with credentials',
    async (origin) => {
      const { status, headers } = await preflight(origin)
      expect([status, Object.fromEntries(headers)]).toMatchObject([
        204,
        {
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
          'access-control-allow-methods': 'GET,PUT,DELETE,POST,PATCH',
          'access-control-allow-headers':
            'authorization,baggage,cf-access-jwt-assertion,sentry-trace,x-csrf-token',
          'access-control-max-age': '7200',
          vary: expect.stringContaining('Origin'),
        },
      ])
    },
  )

  it.for([
    'https://evil.test',
    'https://app.test.evil.test',
    'http://app.test',
    'https://app.test:444',
    'https://APP.test',
    'https://my-app.pages.dev',
    'https://a.b.my-app.pages.dev',
    'https://evil.pages.dev',
    'http://a.my-app.pages.dev',
    'null',
    '',
  ])('lets no page of the origin %j call', async (origin) => {
    const get = await call('GET', keyPath('anyone'), { env, headers: { Origin: origin } })
    for (const { headers } of [await preflight(origin), get]) {
      expect(headers.get('Access-Control-Allow-Origin')).toBeNull()
      expect(headers.get('Access-Control-Allow-Credentials')).toBeNull()
    }
    expect(get.headers.get('Vary')).toContain('Origin')
  })

  it('lets no page of another origin call by default', async () => {
    const response = await call('GET', keyPath('a'), { headers: { Origin: 'https://app.test' } })
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull()
  })

  it('lets no page call by a pattern that is refused', async () => {
    const bad = { CORS_ORIGINS: 'https://*.pages.dev, https://app.test' }
    const ask = async (Origin: string) =>
      (await call('GET', keyPath('a'), { env: bad, headers: { Origin } })).headers
    const allowed = 'Access-Control-Allow-Origin'
    expect((await ask('https://evil.pages.dev')).get(allowed)).toBeNull()
    expect((await ask('https://app.test')).get(allowed)).toBe('https://app.test')
  })

  it('lets a page read every answer, refusals too, and keeps all out of caches', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const headers = { Origin: 'https://app.test' }
    const responses = [
      await putKey(userId, someKey(), { headers, env }),
      await putKey(userId, '', { headers, env }),
      await call('GET', keyPath(userId), { headers, env }),
      await call('GET', keyPath('other'), { token, headers, env }),
      await call('POST', keyPath(userId), { headers, env }),
      await call('GET', '/api/nowhere', { headers, env }),
      await putKey(userId, someKey(), { headers, env: { ...env, JWT_SECRET_KEY: '' } }),
    ]
    expect(responses.map(({ status }) => status)).toEqual([200, 400, 401, 403, 405, 404, 500])
    for (const response of responses) {
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'access-control-allow-origin': 'https://app.test',
        'access-control-expose-headers':
          'ETag,WWW-Authenticate,Retry-After,X-Request-Id,X-Should-Retry,X-Vault-Error',
        'cache-control': 'no-store',
        'x-request-id': expect.stringMatching(/^.{36}$/),
      })
    }
  })
})
