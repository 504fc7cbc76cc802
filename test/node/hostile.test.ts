/** Clients that break HTTP on purpose. Cloudflare’s network refuses many of them before the Worker; workerd is alone here. */

import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startDirectVault } from './direct-vault.ts'
import { bytesOf, connectTo, readToEnd, statusesOf } from './raw-client.ts'

const PATH = '/api/users/user/api-keys/openai'
const BEFORE = 'sk-before-0123456789'
/** In each hostile request, and in no answer. */
const MARK = 'hostile-mark'
const BODY = `{"api_key":"sk-after-${MARK}"}`
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`
const KIB = 1024
const CHUNK_OF_SPACES = `400\r\n${' '.repeat(KIB)}\r\n`

let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  vault = await startDirectVault({ RELAY_PROVIDERS: 'openai' })
  await vault.save('openai', BEFORE)
})
afterAll(async () => vault.close())

/** What a request has apart from what makes it hostile. */
function usual(more: readonly string[]): string[] {
  const { host } = new URL(vault.url)
  return [`Host: ${host}`, `Authorization: Bearer ${vault.token}`, 'Connection: close', ...more]
}

function get(headers: readonly string[] = [], line = `GET ${PATH} HTTP/1.1`): string {
  return bytesOf({ line, headers: usual(headers) })
}

function put(headers: readonly string[], body: string): string {
  const all = usual(['Content-Type: application/json', ...headers])
  return bytesOf({ line: `PUT ${PATH} HTTP/1.1`, headers: all, body })
}

/** Sends the bytes on a connection of their own, and returns all that comes back. */
async function send(bytes: string): Promise<string> {
  const socket = connectTo(vault.url)
  const answer = readToEnd(socket)
  socket.write(bytes, 'latin1')
  return answer
}

/** The beginning of the stored key, as the next request on a new connection sees it. */
async function nextPreview(): Promise<unknown> {
  const headers = { Authorization: `Bearer ${vault.token}` }
  const response = await fetch(new URL(PATH, vault.url), { headers })
  expect(response.status).toBe(200)
  const { api_key_preview: preview }: { api_key_preview: unknown } = await response.json()
  return preview
}

/** No stack, no source file, and nothing that was sent. */
function expectQuiet(answer: string): void {
  expect(answer).not.toMatch(/\n\s+at |\.(?:ts|js|c\+\+):\d/)
  expect(answer).not.toContain(MARK)
  expect(answer).not.toContain(vault.token)
}

/** The bytes of a request; a function because they hold the token. */
type Bytes = () => string

it.for<[name: string, bytes: Bytes, status: number]>([
  ['a negative length', () => put(['Content-Length: -1'], BODY), 400],
  ['two different lengths', () => put(['Content-Length: 30', 'Content-Length: 31'], BODY), 400],
  ['a list of lengths', () => put(['Content-Length: 30, 30'], BODY), 400],
  ['a length with a sign', () => put(['Content-Length: +30'], BODY), 400],
  ['a length in hexadecimal', () => put(['Content-Length: 0x1e'], BODY), 400],
  ['a length of 23 digits', () => put([`Content-Length: ${'9'.repeat(23)}`], BODY), 400],
  ['a length of 1 GB', () => put(['Content-Length: 1000000000'], BODY), 413],
  ['a length that cuts the JSON off', () => put(['Content-Length: 10'], BODY), 400],
  ['a chunk without a length', () => put(['Transfer-Encoding: chunked'], `x\r\n${BODY}`), 400],
  ['a chunk of -1', () => put(['Transfer-Encoding: chunked'], `-1\r\n${BODY}`), 400],
  ['a chunk of 2^68', () => put(['Transfer-Encoding: chunked'], `${'f'.repeat(17)}\r\n`), 400],
  ['the encoding identity', () => put(['Transfer-Encoding: identity'], BODY), 400],
  ['an unknown encoding', () => put([`Transfer-Encoding: ${MARK}`], CHUNKED), 400],
  ['an empty encoding', () => put(['Transfer-Encoding:'], CHUNKED), 400],
  ['a folded encoding', () => put(['Transfer-Encoding: chunked', ` ${MARK}`], CHUNKED), 400],
  ['a folded header', () => get(['X-One: 1', ` ${MARK}`]), 400],
  ['a NUL in a value', () => get([`X-One: ${MARK}\0`]), 400],
  ['a NUL in a name', () => get([`X\0${MARK}: 1`]), 400],
  ['a lone CR', () => get([`X-One: 1\r${MARK}: 2`]), 400],
  ['a header without a colon', () => get([MARK]), 400],
  ['a space before the colon', () => get([`${MARK} : 1`]), 400],
  ['a second Authorization', () => get([`Authorization: Bearer ${MARK}`]), 401],
  ['a line of 64 KiB', () => get([], `GET ${PATH}?${MARK.repeat(6_000)} HTTP/1.1`), 414],
  ['HTTP/0.9', () => `GET ${PATH}?${MARK}\r\n`, 400],
  ['HTTP/2.0 in text', () => get([], `GET ${PATH}?${MARK} HTTP/2.0`), 400],
  [
    'no Host',
    () => bytesOf({ line: `GET /${MARK} HTTP/1.1`, headers: ['Connection: close'] }),
    400,
  ],
  ['TLS', () => `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${MARK}${'\0'.repeat(500)}`, 400],
  ['TRACE', () => get([`X-One: ${MARK}`], `TRACE ${PATH} HTTP/1.1`), 405],
  ['CONNECT', () => get([], `CONNECT ${MARK}.test:443 HTTP/1.1`), 500],
  ['a method of WebDAV', () => get([`X-One: ${MARK}`], `PROPFIND ${PATH} HTTP/1.1`), 405],
  ['an unknown method', () => get([], `HOSTILE-MARK ${PATH} HTTP/1.1`), 501],
  ['a method in small letters', () => get([`X-One: ${MARK}`], `get ${PATH} HTTP/1.1`), 501],
])('%s is refused, and changes nothing', async ([, bytes, status]) => {
  const answer = await send(bytes())
  expect(statusesOf(answer)[0]).toBe(status)
  expect(statusesOf(answer)).not.toContain(200)
  expectQuiet(answer)
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
})

const overrides = ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']
const rewrites = ['X-Original-URL', 'X-Rewrite-URL', 'X-Forwarded-Prefix']
const webSocket = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13']
it.for<[name: string, headers: () => string[], line?: string]>([
  ['a header of 100 KB', () => [`X-One: ${MARK}${'a'.repeat(100_000)}`]],
  ['2,000 headers', () => Array.from({ length: 2_000 }, (_, index) => `X-${index}: ${MARK}`)],
  ['another method in a header', () => overrides.map((name) => `${name}: DELETE`)],
  ['another method in the query', () => [], `GET ${PATH}?_method=DELETE HTTP/1.1`],
  ['another path in a header', () => rewrites.map((name) => `${name}: /${MARK}`)],
  ['a second Host', () => [`Host: ${MARK}.test`]],
  ['another host in the line', () => [], `GET http://${MARK}.test${PATH} HTTP/1.1`],
  ['HTTP/1.0', () => [`X-One: ${MARK}`], `GET ${PATH} HTTP/1.0`],
  [
    'an upgrade to a WebSocket',
    () => [...webSocket, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='],
  ],
  ['an upgrade to HTTP/2', () => ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABk']],
  ['bytes that are not ASCII', () => [`X-One: \xff\xfe${MARK}`]],
])('a GET with %s gets the ordinary answer', async ([, headers, line]) => {
  const answer = await send(get(headers(), line))
  expect(statusesOf(answer)).toEqual([200])
  expectQuiet(answer)
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
})

it('three requests on one connection get three answers in order', async () => {
  const { host } = new URL(vault.url)
  const first = bytesOf({ line: `GET ${PATH} HTTP/1.1`, headers: [`Host: ${host}`] })
  const second = bytesOf({ line: `TRACE ${PATH} HTTP/1.1`, headers: [`Host: ${host}`] })
  expect(statusesOf(await send(first + second + get()))).toEqual([401, 405, 200])
})

it.for<[name: string, headers: string[]]>([
  ['chunks named twice', ['Transfer-Encoding: chunked, chunked']],
  ['two headers with chunks', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
  ['gzip that is not there', ['Transfer-Encoding: gzip, chunked']],
  ['chunks and a length', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
  ['Expect: 100-continue', ['Transfer-Encoding: chunked', 'Expect: 100-continue']],
  ['another Expect', ['Transfer-Encoding: chunked', `Expect: ${MARK}`]],
])('a PUT with %s is one PUT, and its body is never a second request', async ([, headers]) => {
  const answer = await send(put(headers, CHUNKED))
  expect(statusesOf(answer)).toEqual([200])
  expectQuiet(answer)
  expect(await nextPreview()).toBe('sk-after...')
  await vault.save('openai', BEFORE)
})

it('a body whose last chunk never comes is cut off after 16 KiB', async () => {
  const received = await send(put(['Transfer-Encoding: chunked'], CHUNK_OF_SPACES.repeat(17)))
  expect(statusesOf(received)).toEqual([413])
  expect(received).toContain('body_too_large')
  expectQuiet(received)
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
})

it('a body of endless chunks is cut off', async () => {
  const socket = connectTo(vault.url)
  const answer = readToEnd(socket)
  const sendMore = () => void (socket.writable && socket.write(CHUNK_OF_SPACES, sendMore))
  socket.write(put(['Transfer-Encoding: chunked'], ''), sendMore)
  const received = await answer
  // The reset that stops the client may overtake the 413.
  expect(statusesOf(received).filter((status) => status !== 413)).toEqual([])
  expect(socket.bytesWritten).toBeLessThan(16 * KIB * KIB)
  expectQuiet(received)
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
})

it.for<[name: string, leave: 'end' | 'resetAndDestroy', headers: string[], body: string]>([
  ['a length too large, and an end', 'end', [`Content-Length: 1000`], BODY],
  ['a length too large, and a reset', 'resetAndDestroy', [`Content-Length: 1000`], BODY],
  ['half a chunk, and an end', 'end', ['Transfer-Encoding: chunked'], CHUNKED.slice(0, 20)],
  ['half a chunk, and a reset', 'resetAndDestroy', ['Transfer-Encoding: chunked'], '64\r\n{'],
])('a body that breaks off is never saved: %s', async ([, leave, headers, body]) => {
  const socket = connectTo(vault.url)
  const answer = readToEnd(socket)
  const sent = Promise.withResolvers<void>()
  socket.write(put(headers, body), () => sent.resolve())
  await sent.promise
  socket[leave]()
  const received = await answer
  expect(statusesOf(received)).not.toContain(200)
  expectQuiet(received)
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
})

it('bodies that come byte by byte and stop, on 20 connections, hold nobody up', async () => {
  const sockets = Array.from({ length: 20 }, () => connectTo(vault.url))
  await Promise.all(sockets.map(async (socket) => once(socket, 'connect')))
  const writes = sockets.map(async (socket) => {
    socket.setNoDelay(true)
    const bytes = put([`Content-Length: ${BODY.length}`], BODY.slice(0, -1))
    socket.write(bytes.slice(0, -BODY.length))
    for (const byte of bytes.slice(-BODY.length)) socket.write(byte)
    const sent = Promise.withResolvers<void>()
    socket.write('', () => sent.resolve())
    return sent.promise
  })
  await Promise.all(writes)
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
  const closed = sockets.map(readToEnd)
  for (const socket of sockets) socket.resetAndDestroy()
  expect(await Promise.all(closed)).toEqual(sockets.map(() => ''))
  expect(await nextPreview()).toBe(`${BEFORE.slice(0, 8)}...`)
})

it('no hostile request shows a key or a token in the log, or is a fault of the vault', () => {
  const logged = vault.logs().join('\n')
  expect(logged).not.toContain(vault.token)
  expect(logged).not.toContain(MARK)
  expect(logged).not.toContain(BEFORE)
  expect(logged).not.toMatch(/"level":"(?:warn|error)"/)
})
