/** Answers of a provider of any form, as bytes, for the fuzz test. */

import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import * as fc from 'fast-check'
import { MARK } from '../../fuzz/fuzz.ts'

/** The user's key. */
export const KEY = `sk-raw-${crypto.randomUUID()}`

const hex = Buffer.from(KEY).toString('hex')

/** The key in some of the forms that the vault looks for. */
export const KEY_FORMS: readonly string[] = [
  KEY,
  KEY.toUpperCase(),
  Buffer.from(KEY).toString('base64').replaceAll('=', ''),
  hex,
  hex.replace(/../g, '%$&'),
  hex.replace(/../g, String.raw`\u00$&`),
]

/** An answer, as a failure prints it. */
export interface Answer {
  line: string
  interim: string
  headers: string[]
  body: Buffer
  ending: 'end' | 'reset'
}

const line = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(200, 401, 401, 429, 500).map((code) => `HTTP/1.1 ${code} OK`),
  },
  fc.integer({ min: 0, max: 1_100 }).map((code) => `HTTP/1.1 ${code} ${MARK}`),
  fc.constantFrom(101, 204, 205, 304, 307, 99, 600, 999).map((code) => `HTTP/1.1 ${code}`),
  fc.constantFrom('HTTP/1.0 200 OK', 'HTTP/2 200', 'HTTP/0.9 200 OK', 'ICY 200 OK', `SSH-${MARK}`),
  fc.constantFrom('HTTP/1.1 -200 OK', 'HTTP/1.1 2e2 OK', 'HTTP/1.1  200 OK', 'HTTP/1.1', '', '\0'),
  fc.string({ maxLength: 20 }).map((some) => `HTTP/1.1 200 ${some}`),
)
/** What a server may send before its answer (RFC 9110 §15.2). */
const interim = fc.oneof(
  { weight: 6, arbitrary: fc.constant('') },
  fc.constantFrom(
    'HTTP/1.1 100 Continue\r\n\r\n',
    `HTTP/1.1 103 Early Hints\r\nLink: <//${MARK}>\r\n\r\n`,
    'HTTP/1.1 102 Processing\r\n\r\n'.repeat(5),
    '\r\n',
  ),
)

const VALUES: Record<string, string[]> = {
  'Content-Length': ['0', '5', '100000', '-1', '1e2', '0x10', '9'.repeat(30), '5, 5', '5, 6', ''],
  'Transfer-Encoding': ['chunked', 'gzip, chunked', 'chunked, chunked', 'identity', MARK, ''],
  'Content-Encoding': ['gzip', 'deflate', 'br', 'identity', 'gzip, gzip', 'zstd', MARK, ''],
  'Content-Type': ['text/event-stream', 'application/json', 'text/html', 'x', ''],
  'Set-Cookie': [`session=${MARK}`, `a=${KEY}; Path=/`, ''],
  Location: ['https://evil.test/', `/?key=${KEY}`, `//${KEY}.test`, 'http://[', ''],
  'WWW-Authenticate': [`Bearer realm="${KEY}"`],
  'X-Other': [KEY, '\0', '1\rX-Two: 2', 'ü', ...[70_000, 200_000].map((long) => 'a'.repeat(long))],
  [`X-${KEY}`]: ['1'],
  'X-Vault-Error': ['no_api_key'],
  Connection: ['upgrade', 'keep-alive'],
}
const named = fc.oneof(
  ...Object.entries(VALUES).map(([name, values]) =>
    fc.constantFrom(...values.map((value) => `${name}: ${value}`)),
  ),
)
const header = fc.oneof(
  { weight: 9, arbitrary: named },
  fc.constantFrom(' folded', 'no colon', ': empty', 'X One: 1', 'X-One : 1', 'é: 1'),
)
/** More headers than a client may want to keep. */
const many = fc
  .constantFrom(100, 2_000, 10_000)
  .map((count) => Array.from({ length: count }, (_, index) => `X-${index}: ${KEY}`))

/** Server-sent events, refusals and pages, parts of these, and keys. */
const part = fc
  .oneof(
    fc.constantFrom(...KEY_FORMS),
    fc.constantFrom(...KEY_FORMS).map((form) => `{"error": "api_key:${form}"}`),
    fc.constantFrom('data: {"a": 1}\n\n', 'data: {', ': ping\n\n', 'event\r', 'data\n\n\n'),
    fc.constantFrom('id: \0\n\n', '\uFEFFdata: x\n\n', '<b>'),
    fc.constantFrom('{"error": {"code": "invalid_api_key"}}', 'Incorrect API key'),
    fc.string({ unit: 'binary', maxLength: 20 }),
  )
  .map((some) => Buffer.from(some))
const plain = fc.oneof(
  { weight: 4, arbitrary: fc.array(part, { maxLength: 4 }).map((parts) => Buffer.concat(parts)) },
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(20_000, 200_000).map((length) => Buffer.alloc(length, 'x')),
  // The key is across the place where the vault cuts an error.
  fc
    .tuple(fc.constantFrom(...KEY_FORMS), fc.integer({ min: 262_000, max: 262_160 }))
    .map(([form, length]) => Buffer.concat([Buffer.alloc(length, ' '), Buffer.from(form)])),
)
/** A body, and the header that says how it is sent. */
type Framed = [header: string, body: Buffer]

/** One chunk (RFC 9112 §7.1), often a wrong one. */
const chunked = fc
  .tuple(
    plain,
    fc.constantFrom('', ';x=y', '0', 'g', '-'),
    fc.constantFrom('0\r\n\r\n', '0\r\nX: 1\r\n\r\n', '', 'x'),
  )
  .map(([some, wrong, end]): Framed => {
    const size = Buffer.from(`${some.length.toString(16)}${wrong}\r\n`)
    return ['Transfer-Encoding: chunked', Buffer.concat([size, some, Buffer.from(`\r\n${end}`)])]
  })
/** A length that is right, or too short or too long. */
const measured = fc
  .tuple(plain, fc.constantFrom(0, -1, 1, 1_000))
  .map(([some, more]): Framed => [`Content-Length: ${some.length + more}`, some])
/** A megabyte that is a kilobyte when it is sent. */
const BOMB = Buffer.alloc(1_000_000)
const compressed = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: plain }, fc.constantFrom(BOMB, gzipSync(BOMB))),
    fc.constantFrom(['gzip', gzipSync], ['deflate', deflateSync], ['br', brotliCompressSync]),
    fc.nat({ max: 9 }),
  )
  .map(([some, [coding, compress], missing]): Framed => {
    const bytes = compress(some)
    return [`Content-Encoding: ${coding}`, bytes.subarray(0, bytes.length - missing)]
  })
const framed = fc.oneof(
  plain.map((some): Framed => ['X-Plain: 1', some]),
  measured,
  chunked,
  compressed,
)
const headers = fc.oneof(
  { weight: 12, arbitrary: fc.array(header, { maxLength: 5 }) },
  { weight: 1, arbitrary: many },
)

/** Any answer of a provider. */
export const anyAnswer: fc.Arbitrary<Answer> = fc
  .tuple(line, interim, headers, framed, fc.constantFrom('end', 'reset'))
  .map(([first, before, others, [own, body], ending]) => ({
    line: first,
    interim: before,
    headers: [own, ...others],
    body,
    ending,
  }))

/** The bytes of an answer. */
export function bytesOfAnswer(answer: Answer): Buffer {
  const lines = [answer.line, ...answer.headers].join('\r\n')
  const head = `${answer.interim}${lines}\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), answer.body])
}
