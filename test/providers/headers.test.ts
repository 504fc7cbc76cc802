import { describe, expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import {
  asksForWebSocket,
  browserCredential,
  dropUnsafeHeaders,
  requestHeaders,
} from '../../src/providers/headers.ts'
import { atPath, type Provider } from '../../src/providers/provider.ts'

const KEY = 'sk-Proj+0123/456789=='
const acme: Provider = {
  label: 'Acme',
  origin: 'https://api.acme.test',
  header: 'x-acme-key',
  headers: { 'acme-version': '2' },
  request_headers: ['Acme-*', 'x-exact'],
  refusals: [],
}

/** What passes of the headers of an answer. */
function responseHeaders(headers: Headers, key: string): Headers {
  dropUnsafeHeaders(headers, key)
  return headers
}

describe('a caller’s request header', () => {
  it.for([
    'Accept',
    'Content-Type',
    'Content-Encoding',
    'Idempotency-Key',
    'Range',
    'X-Stainless-Retry-Count',
    'Acme-Beta',
    'X-Exact',
  ])('a caller’s header passes: %s', (name) => {
    expect(requestHeaders(acme, KEY, { headers: new Headers({ [name]: 'yes' }) }).get(name)).toBe(
      'yes',
    )
  })

  it.for(
    `Authorization Cf-Access-Jwt-Assertion Cookie X-Api-Key X-Goog-Api-Key Api-Key X-Auth-Token Proxy-Authorization
    Ocp-Apim-Subscription-Key X-Amz-Security-Token X-Client-IP X-Forwarded-For Forwarded X-Real-IP
    CF-Connecting-IP Via X-HTTP-Method-Override Traceparent Baggage Origin Referer X-Exact-Not
    X-Anything-Else OpenAI-Organization`.split(/\s+/),
  )('a caller’s header does not pass: %s', (name) => {
    expect([
      ...requestHeaders(acme, KEY, { headers: new Headers({ [name]: 'no' }) }).keys(),
    ]).toEqual(['accept-encoding', 'acme-version', 'x-acme-key'])
  })

  it('a caller’s header replaces a default of the provider, and never the key', () => {
    const sent = new Headers({ 'X-Acme-Key': 'mine', 'Acme-Version': '1' })
    expect(Object.fromEntries(requestHeaders(acme, KEY, { headers: sent }))).toMatchObject({
      'acme-version': '1',
      'x-acme-key': KEY,
    })
  })

  it.for(['Authorization', 'Cookie', 'X-Api-Key', 'api-key'])(
    'a caller’s header does not replace credentials of the provider itself: %s',
    (name) => {
      const gateway = { ...acme, headers: { [name]: 'gateway' } }
      const outgoing = requestHeaders(gateway, KEY, { headers: new Headers({ [name]: 'mine' }) })
      expect(outgoing.get(name)).toBe('gateway')
    },
  )

  it.for(['/', '/v1/openai/chat'])(
    'a caller’s header in which the provider may take a key does not pass to %s',
    (path) => {
      const paths = [{ prefix: '/v1/openai/', header: 'Acme-Token', scheme: 'Bearer' }]
      const provider = { ...acme, header: 'Acme-Key', paths }
      const sent = new Headers({ 'Acme-Key': 'mine', 'Acme-Token': 'mine', 'Acme-Beta': 'yes' })
      const outgoing = Object.fromEntries(
        requestHeaders(atPath(provider, path), KEY, { headers: sent }),
      )
      const key = path === '/' ? { 'acme-key': KEY } : { 'acme-token': `Bearer ${KEY}` }
      const own = { 'acme-version': '2', 'accept-encoding': 'gzip' }
      expect(outgoing).toEqual({ ...own, 'acme-beta': 'yes', ...key })
    },
  )

  it.for(Object.entries(BUILT_IN))(
    'a caller’s header with credentials does not pass to %s',
    ([, provider]) => {
      const names = ['authorization', 'api-key', 'x-api-key', 'x-goog-api-key', 'x-github-otp']
      const sent = new Headers(names.map((name) => [name, 'mine']))
      expect(
        Object.values(Object.fromEntries(requestHeaders(provider, KEY, { headers: sent }))),
      ).not.toContain('mine')
    },
  )
})

it.for<[sent: string | null, asked: string]>([
  [null, 'gzip'],
  ['gzip', 'gzip'],
  ['br, GZIP ;q=0.5', 'gzip'],
  ['deflate, x-gzip', 'gzip'],
  ['br;q=1.0, *;q=0.1', 'gzip'],
  ['*', 'gzip'],
  ['', 'identity'],
  ['identity', 'identity'],
  ['br, zstd, deflate', 'identity'],
  ['gzip;q=0', 'identity'],
  ['gzip; q=0.000, *', 'identity'],
  ['*;q=0', 'identity'],
  ['gzip;q=x', 'identity'],
])('a caller that accepts the codings %j makes the vault ask for %s', ([sent, asked]) => {
  const headers = sent === null ? new Headers() : new Headers({ 'Accept-Encoding': sent })
  expect(requestHeaders(acme, KEY, { headers }).get('Accept-Encoding')).toBe(asked)
})

describe('a provider’s response header', () => {
  const passes = (value: string, key = KEY) =>
    responseHeaders(new Headers({ 'x-one': value, 'x-other': 'kept' }), key).has('x-one')

  it.for<[form: string, value: string]>([
    ['as it is', KEY],
    ['inside a sentence', `the key ${KEY}.`],
    ['percent-encoded', `/?key=${encodeURIComponent(KEY)}`],
    ['in base64 of Basic credentials', `Basic ${btoa(`user:${KEY}`)}`],
    ['in hex', new TextEncoder().encode(KEY).toHex()],
  ])('removes a provider’s header that holds the key %s', ([, value]) => {
    const headers = new Headers({ 'x-one': value, 'x-other': 'kept', 'set-cookie': 'a=b' })
    expect([...responseHeaders(headers, KEY)]).toEqual([['x-other', 'kept']])
  })

  it('a provider’s header passes with another key', () => {
    expect(passes(KEY.replace('9', '8'))).toBe(true)
  })

  it('a provider’s header that is too long to be searched does not pass', () => {
    expect(passes('a'.repeat(131_072))).toBe(true)
    expect(passes('a'.repeat(131_073))).toBe(false)
  })

  it('finds the short key "a" as a separate word alone', () => {
    expect([passes('application/json', 'a'), passes('"a"', 'a')]).toEqual([true, false])
  })

  it.for(['Set-Cookie', 'Connection', 'Keep-Alive', 'Transfer-Encoding', 'X-Vault-Error'])(
    'always removes the provider’s header %s',
    (name) => expect([...responseHeaders(new Headers({ [name]: 'x' }), KEY)]).toEqual([]),
  )

  it('removes a provider’s header whose name holds the key', () => {
    expect([...responseHeaders(new Headers({ 'x-sk-secret-01': 'x' }), 'sk-secret-01')]).toEqual([])
  })
})

describe('a WebSocket', () => {
  it.for([
    ['websocket', true],
    ['WebSocket', true],
    ['h2c', false],
    ['', false],
  ] as const)('a request with Upgrade: %j opens a WebSocket: %s', ([upgrade, expected]) => {
    expect(asksForWebSocket(new Headers({ Upgrade: upgrade }))).toBe(expected)
  })

  it('a request without Upgrade does not open a WebSocket', () => {
    expect(asksForWebSocket(new Headers())).toBe(false)
  })

  it.for([
    ['realtime, openai-insecure-api-key.sk-mine', 'realtime'],
    ['realtime, my-TOKEN.1, other', 'realtime, other'],
    ['openai-insecure-api-key.sk-mine', null],
    // A JWT alone, as some SDKs offer it after the name of its kind.
    ['token, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln, realtime', 'realtime'],
    ['ACME-AUTH.eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln', null],
  ] as const)('the subprotocols %j pass as %j', ([protocols, passed]) => {
    const sent = new Headers({ Upgrade: 'websocket', 'Sec-WebSocket-Protocol': protocols })
    const outgoing = requestHeaders(acme, KEY, { headers: sent })
    expect(outgoing.get('Upgrade')).toBe('websocket')
    expect(outgoing.get('Sec-WebSocket-Protocol')).toBe(passed)
  })

  const realtime = { ...acme, header: 'Authorization', scheme: 'Bearer', subprotocol: 'acme-auth.' }
  const LONG_KEY = 'sk-Proj_0123-456789'

  it.for<[protocols: string, key: string, header: string | null, passed: string | null]>([
    ['realtime, acme-auth.mine', LONG_KEY, null, `realtime, acme-auth.${LONG_KEY}`],
    ['acme-auth.mine,realtime', LONG_KEY, null, `realtime, acme-auth.${LONG_KEY}`],
    ['acme-auth.a, x, acme-auth.b, my-key.c', LONG_KEY, null, `x, acme-auth.${LONG_KEY}`],
    ['realtime', LONG_KEY, `Bearer ${LONG_KEY}`, 'realtime'],
    ['acme-auth., realtime', LONG_KEY, `Bearer ${LONG_KEY}`, 'realtime'],
    ['ACME-AUTH.mine', LONG_KEY, `Bearer ${LONG_KEY}`, 'ACME-AUTH.mine'],
    ['', LONG_KEY, `Bearer ${LONG_KEY}`, null],
    // Not a subprotocol.
    ['realtime, acme-auth.mine', KEY, `Bearer ${KEY}`, 'realtime'],
    // It would not be found in the provider's answer.
    ['realtime, acme-auth.mine', 'short', 'Bearer short', 'realtime'],
  ])('the subprotocols %j have the key %s in the header as %j, and pass as %j', (example) => {
    const [protocols, key, header, passed] = example
    const sent = new Headers({
      Upgrade: 'websocket',
      Authorization: 'Bearer mine',
      'Sec-WebSocket-Protocol': protocols,
    })
    const outgoing = requestHeaders(realtime, key, { headers: sent })
    expect(outgoing.get('Authorization')).toBe(header)
    expect(outgoing.get('Sec-WebSocket-Protocol')).toBe(passed)
  })

  it.for([
    ['realtime, acme-auth.a.b.c', 'websocket', 'a.b.c'],
    ['acme-auth.first, acme-auth.second', 'WebSocket', 'first'],
    ['realtime', 'websocket', null],
    ['acme-auth.', 'websocket', null],
    ['x-acme-auth.a', 'websocket', null],
    ['acme-auth.a', 'h2c', null],
  ] as const)('the subprotocols %j of an upgrade to %s hold the credential %j', (example) => {
    const [protocols, upgrade, credential] = example
    const sent = new Headers({ Upgrade: upgrade, 'Sec-WebSocket-Protocol': protocols })
    expect(browserCredential(realtime, sent)).toBe(credential)
    expect(browserCredential(acme, sent)).toBeNull()
  })

  it('a provider’s choice of the subprotocol with the key does not come back', () => {
    const chosen = new Headers({ 'Sec-WebSocket-Protocol': `acme-auth.${LONG_KEY}` })
    expect([...responseHeaders(chosen, LONG_KEY)]).toEqual([])
  })

  it('the subprotocols of another request do not pass', () => {
    const sent = new Headers({ Upgrade: 'h2c', 'Sec-WebSocket-Protocol': 'realtime' })
    const outgoing = requestHeaders(acme, KEY, { headers: sent })
    expect([outgoing.get('Upgrade'), outgoing.get('Sec-WebSocket-Protocol')]).toEqual([null, null])
  })
})

it('sends the key in the header of its provider, after the scheme', () => {
  const bearer = { ...acme, header: 'Authorization', scheme: 'Bearer' }
  expect(requestHeaders(bearer, KEY, { headers: new Headers() }).get('Authorization')).toBe(
    `Bearer ${KEY}`,
  )
})
