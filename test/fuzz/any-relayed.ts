/** Requests to the relay and answers of a provider, of any form that the runtime can express. */

import * as fc from 'fast-check'
import { MARK } from './fuzz.ts'

/** Stands for a token of the user, and for the key that the vault adds. */
export const TOKEN = 'TOKEN'
export const KEY = 'KEY'

/** A request, as a failure prints it. */
export interface Relayed {
  method: string
  path: string
  headers: [name: string, value: string][]
  body: string | null
}

/** An answer of the provider, in whose headers `KEY` stands for the key. */
export interface Answered {
  status: number
  headers: [name: string, value: string][]
  body: string
}

const slot = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('openai', 'own', 'acme') },
  { weight: 2, arbitrary: fc.constantFrom('openai:work', 'openai%3Awork', 'openai:home') },
  fc.constantFrom('mistral', 'default', '__proto__', 'constructor', '', '%6fpenai', 'openai%2f..'),
  fc.constantFrom('openai@evil.test', 'openai:80', 'evil.test', 'http:', MARK),
  fc.constantFrom('default:work', 'openai:', 'openai:%2e%2e', 'openai:..', `openai:sk-${MARK}`),
)
const segment = fc.oneof(
  fc.constantFrom(
    'v1',
    'models',
    '..',
    '.',
    '%2e%2e',
    '.%2E',
    '',
    '@evil.test',
    ':80',
    '\\evil.test',
  ),
  fc.constantFrom(
    '%00',
    '%',
    '%c3%28',
    'http:',
    '//evil.test',
    '#x',
    ';a=b',
    '%2f%2fevil.test',
    '..%2f..%2fapi',
    'x%5c%2e.%5c',
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 4 }).map((some) => some.toWellFormed()),
)
const query = fc.oneof(
  fc.constantFrom('', '?a=1&b=%20', '?key=x', '??', '?url=http://evil.test', '?../..', '#?'),
  fc.webQueryParameters().map((some) => `?${some}`),
)
const path = fc
  .tuple(slot, fc.array(segment, { maxLength: 5 }), query)
  .map(([name, segments, asked]) => `/relay/${[name, ...segments].join('/')}${asked}`)

/** How a client may write its token. */
const written = fc.constantFrom(
  `Bearer ${TOKEN}`,
  TOKEN,
  `bearer ${TOKEN}`,
  `Key ${TOKEN}`,
  `token=${TOKEN}`,
)
const credential = fc.tuple(
  fc.constantFrom('x-acme-key', 'api-key', 'X-Api-Key', 'Cookie'),
  written,
)
const header: fc.Arbitrary<[name: string, value: string]> = fc.oneof(
  credential,
  fc.tuple(
    fc.constantFrom(
      'Host',
      'Origin',
      'Referer',
      'X-Forwarded-Host',
      'Forwarded',
      'X-Vault-User',
      'X-Vault-Team',
    ),
    fc.constantFrom('evil.test', 'https://evil.test', `https://${MARK}.test`, TOKEN),
  ),
  fc.tuple(
    fc.constantFrom('Connection', 'Proxy-Authorization', 'Sec-WebSocket-Protocol', 'X-Own', 'TE'),
    fc.constantFrom(TOKEN, `close, ${TOKEN}`, `openai-insecure-api-key.${TOKEN}`, 'Authorization'),
  ),
  fc.tuple(
    fc.constantFrom('Content-Type', 'Accept-Encoding', 'Range', 'If-Match', 'User-Agent', 'Expect'),
    fc.string({ unit: 'grapheme-ascii', maxLength: 20 }),
  ),
)

const headers = fc.array(header, { maxLength: 4 })
const bearer: [string, string] = ['Authorization', `Bearer ${TOKEN}`]

/** Any request below `/relay/`, mostly with a valid token. */
export const anyRelayed: fc.Arbitrary<Relayed> = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'PROPFIND'),
  path,
  headers: fc.oneof(
    { weight: 9, arbitrary: headers.map((some) => some.concat([bearer])) },
    { weight: 1, arbitrary: headers },
    fc.tuple(headers, written).map(([some, value]) => some.concat([['Authorization', value]])),
  ),
  body: fc.oneof(fc.constant(null), fc.string({ maxLength: 30 })),
})

const url = fc.constantFrom(
  'https://evil.test/',
  '//evil.test/x',
  '/\\evil.test',
  'javascript:alert(1)',
  `/?key=${KEY}`,
  `https://${KEY}.evil.test/`,
  '/v2',
  '',
  'http://[',
)
const answeredHeader = fc.oneof(
  fc.tuple(fc.constantFrom('Location', 'Content-Location', 'Refresh', 'Link'), url),
  fc.tuple(
    fc.constantFrom('X-Other', 'Set-Cookie', 'X-Request-Id', 'X-Vault-Error', 'ETag', `X-${KEY}`),
    fc.constantFrom(KEY, `a=${KEY}`, `Bearer ${KEY}`, 'no_api_key', 'x'),
  ),
  fc.tuple(
    fc.constantFrom(
      'Content-Type',
      'Content-Encoding',
      'Content-Length',
      'Vary',
      'WWW-Authenticate',
    ),
    fc.constantFrom('text/html', 'gzip', 'br', 'identity', '0', '-1', '*', `Bearer realm="${KEY}"`),
  ),
  fc.tuple(
    fc.constantFrom('Content-Security-Policy', 'Clear-Site-Data', 'Access-Control-Allow-Origin'),
    fc.constantFrom('*', "script-src 'unsafe-inline'", KEY),
  ),
)

/** Any answer that `fetch` can return. The form of the key in it is chosen by `how`. */
export const anyAnswered: fc.Arbitrary<Answered> = fc.record({
  status: fc.oneof(fc.integer({ min: 200, max: 599 }), fc.constantFrom(204, 304, 307, 401)),
  headers: fc.array(answeredHeader, { maxLength: 6 }),
  body: fc.oneof(fc.constantFrom('', '{"error": {"code": "invalid_api_key"}}'), fc.string()),
})

/** The forms of a key that a header may repeat it in. */
export const anyForm = fc.constantFrom<(key: string) => string>(
  (key) => key,
  (key) => btoa(key),
  (key) => btoa(`x${key}`),
  (key) => btoa(`??${key}`).replaceAll('+', '-').replaceAll('/', '_'),
  (key) => encodeURIComponent(key).replaceAll('-', '%2D'),
  (key) => key.toUpperCase(),
  (key) => Array.from(key, (some) => some.charCodeAt(0).toString(16)).join(''),
)
