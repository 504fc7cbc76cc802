/** Answers of a provider that name URLs and repeat the key, as an HTTP server can send them. */

import { brotliCompressSync, gzipSync } from 'node:zlib'
import * as fc from 'fast-check'

/** Stands for the user's key, in a form that each answer chooses. */
const KEY = 'KEY'
/** Stands for where the provider is: its origin, or the user's base URL. */
const BASE = 'BASE'

/** A number that JavaScript cannot hold, in each JSON body. */
export const LONG = '9007199254740993'

/** An answer to a request of `path` at the provider of `slot`, as a failure prints it. */
export interface Answered {
  slot: string
  path: string
  status: number
  headers: [name: string, value: string][]
  body: string
  coding: 'identity' | 'gzip' | 'br'
}

const asked = fc.constantFrom<[slot: string, path: string]>(
  ['anthropic', '/v1/messages/batches/1'],
  ['anthropic', '/v1/messages'],
  ['openai', '/v1/models'],
  ['own', '/v1/jobs?a=1'],
)
const status = fc.oneof(
  fc.constantFrom(200, 200, 200, 201, 202, 206, 204, 304, 400, 401, 403, 429, 500),
  fc.constantFrom(301, 302, 303, 307, 308),
  fc.integer({ min: 200, max: 599 }),
)

const place = fc.oneof(
  fc.constantFrom(BASE, BASE, '//evil.test', 'https://evil.test', 'HTTPS://EVIL.TEST:8443'),
  fc.constantFrom('http://evil.test', 'wss://evil.test', 'https:evil.test', 'https:\\\\evil.test'),
  fc.constantFrom('/\\evil.test', '\\\\evil.test', 'ht\ttps://evil.test', '/\t/evil.test'),
  fc.constantFrom(`${BASE}.evil.test`, `${BASE}@evil.test`, 'https://user:KEY@evil.test', ''),
  fc.webUrl(),
)
const rest = fc.oneof(
  fc.constantFrom('', '/', '/v1/a?page=2', '/a#b', '/../../x', '//evil.test/', `/?key=${KEY}`),
  fc.constantFrom('/?to=https://evil.test/', '/a,https://evil.test/', '/%2e%2e/x', '/a,b;c', '?x'),
  fc.webPath(),
)
const url = fc.tuple(place, rest).map((parts) => parts.join(''))

/** How a header may write a URL. */
const written = fc.oneof(
  url,
  fc
    .tuple(url, fc.constantFrom('<URL>; rel="next"', 'url="URL"; n=1', 'see URL.', '0; url=URL'))
    .map(([one, form]) => form.replace('URL', one)),
  fc
    .tuple(url, url, fc.constantFrom(', ', ' ', '|', ';'))
    .map(([one, two, between]) => one + between + two),
  fc
    .array(fc.tuple(url, fc.constantFrom('next', 'last', 'https://evil.test/rel')), {
      maxLength: 3,
    })
    .map((links) => links.map(([to, rel]) => `<${to}>; rel="${rel}"`).join(', ')),
)
const leaked = fc.constantFrom(KEY, `Bearer ${KEY}`, `{"key": "${KEY}"}`, `a${KEY}a`)
const name = fc.oneof(
  fc.constantFrom('Location', 'Content-Location', 'Link', 'Operation-Location'),
  fc.constantFrom('Azure-AsyncOperation', 'X-Goog-Upload-URL', 'X-Next-Page', 'Request-Id'),
  fc.constantFrom('Refresh', 'Error', 'ETag', 'Vary', 'Content-Disposition', 'Anthropic-Next'),
)
const header = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(name, written) },
  fc.tuple(
    fc.oneof(
      name,
      fc.constantFrom('X-Echo', `X-${KEY}`, 'X-Vault-Error', 'Server', 'OpenAI-Organization'),
    ),
    leaked,
  ),
  fc.tuple(
    fc.constantFrom('Set-Cookie', 'Accept-CH', 'Set-Login', 'Clear-Site-Data', 'X-SourceMap'),
    fc.constantFrom('a', '*'),
  ),
)

/** Of a filling in a body: none, much, or more than the vault reads. */
const size = fc.oneof(
  { weight: 20, arbitrary: fc.constant(0) },
  fc.constantFrom(20_000, 300_000, 1_100_000),
)
const json = fc
  .record({
    results_url: url,
    next: url,
    data: fc.array(fc.record({ results_url: url }), { maxLength: 2 }),
    error: fc.record({ message: leaked, code: fc.constantFrom('invalid_api_key', 'x') }),
    filling: size.map((length) => 'x'.repeat(length)),
  })
  .map((some) => JSON.stringify({ id: 1, ...some }).replace('1', LONG))
const text = fc
  .tuple(leaked, url, size)
  .map(([some, to, length]) => `${some} ${to} ${'y'.repeat(length)} ${some}`)
const content = fc.oneof(
  fc.tuple(fc.constantFrom('application/json', 'application/problem+json'), json),
  fc.tuple(
    fc.constantFrom('text/plain', 'text/html; charset=utf-8', 'application/json', 'x'),
    text,
  ),
  fc.tuple(fc.constant('application/x-jsonl'), json),
  fc.tuple(
    fc.constant('text/event-stream'),
    json.map((some) => `data: ${some}\n\n`),
  ),
)

/** Any answer. */
export const anyRelayedAnswer: fc.Arbitrary<Answered> = fc
  .record({
    asked,
    status,
    headers: fc.array(header, { maxLength: 6 }),
    content,
    coding: fc.constantFrom('identity', 'gzip', 'br'),
  })
  .map(({ asked: [slot, path], status: code, headers, content: [type, body], coding }) => {
    const all: Answered['headers'] = [['Content-Type', type], ...headers]
    return { slot, path, status: code, headers: all, body, coding }
  })

/** The answer of the provider at `base` with the key as `key`, without headers that no server can send. */
export function fill(answered: Answered, base: string, key: string): Answered {
  const filled = (some: string) => some.replaceAll(BASE, base).replaceAll(KEY, key)
  const headers = answered.headers
    .map(([one, value]): [string, string] => [filled(one), filled(value)])
    .filter(([one]) => /^[\w%-]+$/.test(one))
  return { ...answered, headers, body: filled(answered.body) }
}

/** The bytes of the body, as the provider sends them. */
export function encode({ body, coding }: Answered): Buffer {
  if (coding === 'gzip') return gzipSync(body)
  return coding === 'br' ? brotliCompressSync(body) : Buffer.from(body)
}
