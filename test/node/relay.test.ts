import { once } from 'node:events'
import { request as open, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { startEcho, type Echo } from './echo-server.ts'
import { startDirectVault } from './direct-vault.ts'

const KEY = `sk-relay-${crypto.randomUUID()}`
let provider: Awaited<ReturnType<typeof startEcho>>
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  provider = await startEcho()
  const { url: origin } = provider
  const providers = {
    openai: { origin },
    anthropic: { origin },
    gemini: { origin },
    fal: { label: 'Fal', origin, header: 'Authorization', scheme: 'Key', refusals: [] },
    own: { label: 'Own', hosts: [new URL(origin).host], header: 'X-Key', refusals: [] },
  }
  const vars = {
    RELAY_PROVIDERS: 'openai,anthropic,gemini,own,fal',
    CORS_ORIGINS: 'https://app.test',
    PROVIDERS: JSON.stringify(providers),
  }
  vault = await startDirectVault(vars, {
    copies: { off: { RELAY_SCOPE: '', RELAY_PROVIDERS: '' } },
  })
  for (const slot of ['openai', 'anthropic', 'gemini', 'fal', 'mistral'])
    await vault.save(slot, KEY)
  await vault.save('own', KEY, { base_url: `${origin}/tenant/v1` })
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

/** A request to the relay, with a token unless `headers` has one. */
async function call(
  path: string,
  init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {},
): Promise<Response> {
  const { headers: given = {}, ...rest } = init
  const headers = { Authorization: `Bearer ${vault.token}`, ...given }
  return fetch(new URL(`/relay/${path}`, vault.url), { redirect: 'manual', ...rest, headers })
}

const echoed = async (response: Response): Promise<Echo> => response.json()

it('a request reaches the provider with the key, and without what is the caller’s own', async () => {
  const response = await call('openai/v1/chat?a=1&b=%20', {
    method: 'POST',
    body: 'the body',
    headers: { Cookie: 'a=b', 'X-Forwarded-For': '1.2.3.4', 'OpenAI-Beta': 'yes', 'X-Own': '1' },
  })
  expect(response.status).toBe(200)
  const { method, url, headers, body } = await echoed(response)
  expect([method, url, body]).toEqual(['POST', '/v1/chat?a=1&b=%20', 'the body'])
  expect(headers).toMatchObject({ authorization: `Bearer ${KEY}`, 'openai-beta': 'yes' })
  expect(JSON.stringify(headers)).not.toContain(vault.token)
  expect(Object.keys(headers)).not.toContain('cookie')
  expect(Object.keys(headers)).not.toContain('x-own')
  expect(Object.keys(headers)).not.toContain('x-forwarded-for')
})

it.for<[slot: string, header: string, scheme: string]>([
  ['anthropic', 'x-api-key', ''],
  ['gemini', 'x-goog-api-key', ''],
  ['fal', 'authorization', 'Key '],
  ['own', 'x-key', ''],
])(
  'the relay takes the token where the SDK of %s sends its key: %s',
  async ([slot, header, scheme]) => {
    const url = new URL(`/relay/${slot}/models`, vault.url)
    const response = await fetch(url, { headers: { [header]: scheme + vault.token } })
    const { headers, url: path } = await echoed(response)
    expect(headers[header]).toBe(scheme + KEY)
    expect(path).toBe(slot === 'own' ? '/tenant/v1/models' : '/models')
    expect(JSON.stringify(headers)).not.toContain(vault.token)
  },
)

it('the caller gets the provider’s status, headers and body', async () => {
  const response = await call('openai/teapot')
  expect([response.status, await response.text()]).toEqual([418, 'short and stout'])
  expect(response.headers.get('Content-Type')).toBe('text/x-tea')
  expect(response.headers.get('Retry-After')).toBe('7')
  expect(response.headers.get('X-Vault-Error')).toBeNull()
})

it.for<[accepted: string, body: string, encoding: string | undefined]>([
  ['identity', 'plain', undefined],
  ['gzip', 'plain', 'gzip'],
])(
  'the caller gets a body in an encoding that it accepts: %s',
  async ([accepted, body, encoding]) => {
    const { href: url } = new URL('/relay/openai/gzip', vault.url)
    const headers = { Authorization: `Bearer ${vault.token}`, 'Accept-Encoding': accepted }
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    open(url, { headers }, resolve).on('error', reject).end()
    const response = await promise
    expect(response.headers['content-encoding']).toBe(encoding)
    const shown = await fetch(url, { headers })
    expect(await shown.text()).toBe(body)
    response.resume()
  },
)

it('a query stays as it is, also for a provider that takes a key in the query', async () => {
  const { url } = await echoed(await call('gemini/v1?a=%20b&c=d+e&f'))
  expect(url).toBe('/v1?a=%20b&c=d+e&f')
  const { url: withKey } = await echoed(await call('gemini/v1?a=1&key=mine'))
  expect(withKey).toBe('/v1?a=1')
})

it('a HEAD gets the headers alone', async () => {
  const head = await call('openai/teapot', { method: 'HEAD' })
  expect([head.status, head.headers.get('Content-Type')]).toEqual([418, 'text/x-tea'])
  expect(await head.text()).toBe('')
})

it('a key that the provider clearly rejects is marked as rejected', async () => {
  expect((await call('openai/rejected')).status).toBe(401)
  const url = new URL('/api/users/user/api-keys/openai', vault.url)
  const slot = async () => {
    const read = await fetch(url, { headers: { Authorization: `Bearer ${vault.token}` } })
    return read.json()
  }
  await expect.poll(slot).toMatchObject({ status: 'rejected' })
  await vault.save('openai', KEY)
})

it('a use ends when the client leaves before the answer', async () => {
  const [begun, gone] = [provider.next('begun'), provider.next('gone')]
  const { hostname, port, host } = new URL(vault.url)
  const socket = connect(Number(port), hostname)
  const head = `GET /relay/openai/hang HTTP/1.1\r\nHost: ${host}\r\n`
  socket.write(`${head}Authorization: Bearer ${vault.token}\r\n\r\n`)
  await begun
  // workerd does not notice a connection that its client only closes.
  socket.resetAndDestroy()
  expect(await gone).toEqual([])
})

it('a use ends when the client resets in the middle of the answer of a silent provider', async () => {
  const gone = provider.next('gone')
  const { hostname, port, host } = new URL(vault.url)
  const socket = connect(Number(port), hostname)
  const head = `GET /relay/openai/silent-stream HTTP/1.1\r\nHost: ${host}\r\n`
  socket.write(`${head}Authorization: Bearer ${vault.token}\r\n\r\n`)
  await once(socket, 'data')
  socket.resetAndDestroy()
  expect(await gone).toEqual([])
})

it('a use ends when the client leaves in the middle of the answer', async () => {
  const gone = provider.next('gone')
  const leaving = new AbortController()
  const response = await call('openai/hang-stream', { signal: leaving.signal })
  const ended = response.text()
  leaving.abort()
  await expect(ended).rejects.toThrow('abort')
  await gone
})

it('a use logs its caller, its provider and what the provider answered', async () => {
  await call('openai/teapot')
  const logged = (): unknown => {
    const lines = vault.logs().filter((line) => line.includes('"provider_status":418'))
    return JSON.parse(lines.at(-1) ?? '{}')
  }
  await expect.poll(logged).toMatchObject({
    event: 'request',
    route: '/relay/:provider/*',
    status: 418,
    code: null,
    user_id: 'user',
    caller: 'relay:web-app',
    provider: 'openai',
    request_id: expect.any(String),
    duration_ms: expect.any(Number),
  })
  expect((await call('openai/cut')).status).toBe(502)
  await expect
    .poll(() => vault.logs().join('\n'))
    .toMatch(/"provider_unreachable".*"reason":"Error: \w/)
  const leaked = vault.logs().filter((line) => line.includes(KEY) || line.includes(vault.token))
  expect(leaked).toEqual([])
})

it.for<[name: string, claims: Record<string, unknown>, status: number, code: string]>([
  ['a token without a scope', { scope: undefined }, 403, 'scope_missing'],
  ['a token with other scopes', { scope: 'openid relays relay:read' }, 403, 'scope_missing'],
  ['an expired token', { exp: inSeconds(-60) }, 401, 'token_expired'],
  ['a refresh token', { type: 'refresh' }, 401, 'token_invalid'],
  ['the token of a user who does not exist', { sub: 'nobody' }, 404, 'user_not_found'],
])('the relay refuses %s', async ([, claims, status, code]) => {
  const headers = { Authorization: `Bearer ${await vault.tokenOf(claims)}` }
  const response = await call('openai/v1/models', { headers })
  expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([status, code])
  expect(await response.json()).toMatchObject({
    type: 'error',
    error: { type: 'vault_error', code },
  })
})

it.for<[path: string, status: number, code: string]>([
  ['mistral/v1/models', 403, 'provider_not_granted'],
  ['nobody/v1/models', 403, 'provider_not_granted'],
  ['', 404, 'not_found'],
])('the relay refuses the path /relay/%s', async ([path, status, code]) => {
  const response = await call(path)
  expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([status, code])
})

it('the relay refuses every request if RELAY_SCOPE is empty', async () => {
  const response = await fetch(new URL('/relay/openai/v1/models', await vault.urlOf('off')))
  expect([response.status, response.headers.get('X-Vault-Error')]).toEqual([404, 'not_found'])
})

it('a provider cannot set cookies, run HTML or change how a browser treats the vault', async () => {
  const response = await call('openai/html')
  const headers = Object.fromEntries(response.headers)
  expect(headers).toMatchObject({
    'content-type': 'text/html',
    'content-security-policy':
      "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'x-other': 'kept',
  })
  const dropped = ['set-cookie', 'clear-site-data', 'alt-svc', 'refresh', 'service-worker-allowed']
  const denied = new Set([...dropped, 'access-control-allow-origin', 'x-vault-error'])
  expect(Object.keys(headers).filter((name) => denied.has(name))).toEqual([])
})

it('a provider cannot send the token elsewhere by a redirect', async () => {
  const away = await call('openai/away')
  expect([away.status, away.headers.get('Location')]).toEqual([307, null])
  expect(away.headers.get('X-Vault-Location')).toBe('https://evil.test/collect')
  const moved = await call('openai/moved')
  expect([moved.status, moved.headers.get('Location')]).toEqual([
    308,
    '/relay/openai/v2/models?page=2',
  ])
})

it('a provider cannot show the key in a header', async () => {
  const response = await call('openai/leak')
  expect(response.headers.get('X-Other')).toBe('kept')
  expect(JSON.stringify([...response.headers])).not.toMatch(new RegExp(`${KEY}|${btoa(KEY)}`))
})

it('a page of an allowed origin may send any header, and read every header of the answer', async () => {
  const preflight = await call('openai/v1/chat', {
    method: 'OPTIONS',
    headers: {
      Origin: 'https://app.test',
      'Access-Control-Request-Method': 'PATCH',
      'Access-Control-Request-Headers': 'authorization,x-stainless-os,anthropic-version',
    },
  })
  expect(preflight.status).toBe(204)
  expect(preflight.headers.get('Access-Control-Allow-Headers')).toContain('x-stainless-os')
  expect(preflight.headers.get('Access-Control-Allow-Methods')).toContain('PATCH')
  const response = await call('openai/teapot', { headers: { Origin: 'https://app.test' } })
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe('https://app.test')
  expect(response.headers.get('Access-Control-Expose-Headers')).toContain('x-vault-request-id')
  expect(response.headers.get('Access-Control-Allow-Credentials')).toBe('true')
  const stranger = await call('openai/teapot', { headers: { Origin: 'https://evil.test' } })
  expect(stranger.headers.get('Access-Control-Allow-Origin')).toBeNull()
})

/** Sends a request line, headers and a body as they are. @returns the status, and the body as the provider saw it */
async function sendRaw(
  target: string,
  headers: string[] = [],
  content = '',
): Promise<{ status: number; body: string }> {
  const { hostname, port } = new URL(vault.url)
  const socket = connect(Number(port), hostname)
  const lines = [`GET ${target} HTTP/1.1`, `Host: ${hostname}:${port}`, 'Connection: close']
  socket.write(
    `${[...lines, `Authorization: Bearer ${vault.token}`, ...headers].join('\r\n')}\r\n\r\n${content}`,
  )
  const answer = await text(socket)
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), body }
}

it.for<[sent: string, seen: string]>([
  ['/relay/openai', '/'],
  ['/relay/openai/', '/'],
  ['/relay/openai?a=1', '/?a=1'],
  ['/relay/openai/v1/a%2Fb', '/v1/a%2Fb'],
  ['/relay/openai/v1/a%2fb%20c', '/v1/a%2fb%20c'],
  ['/relay/openai//evil.test/v1', '//evil.test/v1'],
  ['/relay/openai/@evil.test/', '/@evil.test/'],
  ['/relay/openai/http://evil.test/', '/http://evil.test/'],
  ['/relay/openai/:8080/', '/:8080/'],
  ['/relay/openai/v1?url=http://evil.test/../x', '/v1?url=http://evil.test/../x'],
  ['/relay/openai/v1;a=b,c', '/v1;a=b,c'],
  ['/relay/openai/v1/%00', '/v1/%00'],
  ['/relay/openai/v1/%C3%A4%E2%82%AC', '/v1/%C3%A4%E2%82%AC'],
  ['/relay/openai/v1?q=%27a%27&q=b+c', '/v1?q=%27a%27&q=b+c'],
  ['http://evil.test/relay/openai/v1', '/v1'],
])('a path reaches the provider as it is: %s', async ([sent, seen]) => {
  const { status, body } = await sendRaw(sent)
  expect([status, JSON.parse(body).url]).toEqual([200, seen])
})

it.for<[sent: string, status: number]>([
  ['/relay/openai/..', 403],
  ['/relay/openai/../gemini/v1', 403],
  ['/relay/openai/%2e%2e/api/config', 403],
  ['/relay/openai/v1/.%2e/x', 403],
  ['/relay/openai/..%2f..%2fapi', 403],
  ['/relay/openai/v1/..%5cx', 403],
  ['/relay/openai/v1/./x', 403],
  ['/relay/openai\\..\\x', 403],
  ['/relay/openai@evil.test/v1', 403],
  // It is the slot with this label, which has no key.
  ['/relay/openai:8080/v1', 404],
  ['/relay/openai%2Fv1', 403],
  ['/relay/openai%00/v1', 403],
  ['/relay//evil.test/v1', 404],
  ['/relay/http:%2f%2fevil.test/v1', 403],
  ['/relay/127.0.0.1:9/v1', 403],
])('a path does not leave its provider: %s', async ([sent, status]) => {
  expect((await sendRaw(sent)).status).toBe(status)
})

it.for<[name: string, headers: string[], body: string]>([
  ['an empty one', ['Content-Length: 0'], ''],
  ['two characters', ['Content-Length: 2'], 'ab'],
  ['no chunks', ['Transfer-Encoding: chunked'], '0\r\n\r\n'],
])('a GET reaches the provider without its body: %s', async ([, headers, content]) => {
  const { status, body } = await sendRaw('/relay/openai/v1', headers, content)
  expect([status, JSON.parse(body)]).toMatchObject([200, { method: 'GET', body: '' }])
})

it.for<[name: string, headers: string[], status: number]>([
  ['two tokens', ['Authorization: Bearer other'], 401],
  ['a folded header', ['X-One: 1', ' Host: evil.test'], 400],
  ['a name with a space', ['Host : evil.test'], 400],
])('a smuggled header is refused: %s', async ([, headers, status]) => {
  expect((await sendRaw('/relay/openai/v1', headers)).status).toBe(status)
})

it.for<[name: string, headers: string[]]>([
  ['hop-by-hop names', ['Connection: Authorization, Accept', 'Keep-Alive: 5', 'TE: trailers']],
  ['the headers of the binding', ['X-Vault-User: other', 'X-Vault-Provider: gemini']],
  ['a forwarded address', ['X-Forwarded-Host: evil.test', 'Forwarded: host=evil.test']],
  ['a length and chunks', ['Content-Length: 3', 'Transfer-Encoding: chunked']],
  ['another method', ['X-HTTP-Method-Override: DELETE']],
  ['another URL', ['X-Original-URL: /admin', 'X-Rewrite-URL: /admin']],
  ['another protocol', ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABk']],
  [
    'credentials of other kinds',
    ['Cookie: a=b', 'X-Api-Key: other', 'Proxy-Authorization: Basic eA=='],
  ],
])('a smuggled header does not reach the provider: %s', async ([, headers]) => {
  const { status, body } = await sendRaw('/relay/openai/v1?a=%0d%0aX-Evil:%201', headers)
  const seen: Echo = JSON.parse(body)
  expect([status, seen.method, seen.url]).toEqual([200, 'GET', '/v1?a=%0d%0aX-Evil:%201'])
  const own = ['host', 'connection', 'authorization', 'accept-encoding', 'cf-worker']
  const allowed = new Set([...own, 'cache-control', 'pragma'])
  expect(Object.keys(seen.headers).filter((name) => !allowed.has(name))).toEqual([])
  expect(seen.headers['authorization']).toBe(`Bearer ${KEY}`)
  // This client said nothing of what it can decode.
  expect(seen.headers['accept-encoding']).toBe('identity')
})
