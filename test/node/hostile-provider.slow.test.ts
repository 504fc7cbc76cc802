/** Answers of a provider that break HTTP: each is passed on or refused, and the next use gets its own answer. */

import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { MARK } from '../fuzz/fuzz.ts'
import { startRawPair, type RawAnswer } from './raw-provider.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const NO = 'HTTP/1.1 401 No\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n'
const LAST = '0\r\n\r\n'
const WORD = '{"error": {"code": "invalid_api_key"}}'
const SSE = 'Content-Type: text/event-stream\r\n\r\n'
const EVENTS = 'data\n:\nid: \0\n\nevent\rdata: {"\xff\n\n\n'
const BOMB = Buffer.alloc(10_000_000)

let pair: Awaited<ReturnType<typeof startRawPair>>
beforeAll(async () => {
  pair = await startRawPair()
})
afterAll(async () => pair.close())

/** An answer whose body is in a coding, and may be wrong. */
function coded(start: string, coding: string, body: Buffer | string): string {
  const bytes = typeof body === 'string' ? body : body.toString('latin1')
  return `${start}Content-Encoding: ${coding}\r\n\r\n${bytes}`
}

it.for<[name: string, answer: string, ending?: RawAnswer['ending']]>([
  ['HTTP/2.0 in text', `HTTP/2 200 ${MARK}\r\n\r\n`],
  ['another protocol', `ICY 200 ${MARK}\r\n\r\n`],
  ['SSH', `SSH-2.0-${MARK}\r\n`],
  ['HTTP/0.9', `<html>${MARK}`],
  ['NUL', '\0\0\0'],
  ['a status of two digits', `HTTP/1.1 99 ${MARK}\r\n\r\n`],
  ['a status of four digits', `HTTP/1.1 1200 ${MARK}\r\n\r\n`],
  ['a negative status', `HTTP/1.1 -200 ${MARK}\r\n\r\n`],
  ['a status that HTTP does not have', `HTTP/1.1 600 ${MARK}\r\n\r\n`],
  ['no status', 'HTTP/1.1\r\n\r\n'],
  ['an upgrade nobody asked for', `HTTP/1.1 101 ${MARK}\r\nUpgrade: x\r\n\r\n`],
  ['100 Continue, and then nothing', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ['nothing', ''],
  ['a reset', '', 'reset'],
  ['half a status line', 'HTTP/1.1 20'],
  ['half a header', `${OK}Content-Ty`],
  ['a header of 1 MB', `${OK}X-One: ${'a'.repeat(1_000_000)}\r\n\r\n`],
  ['a header without a colon', `${OK}${MARK}\r\n\r\n`],
  ['a folded header', `${OK}X-One: 1\r\n ${MARK}\r\n\r\n`],
  ['a NUL in a header', `${OK}X-One: ${MARK}\0\r\n\r\n`],
  ['a lone CR in a header', `${OK}X-One: 1\rX-Two: ${MARK}\r\n\r\n`],
  ['two lengths', `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\n123456`],
  ['a list of lengths', `${OK}Content-Length: 5, 6\r\n\r\n123456`],
  ['a negative length', `${OK}Content-Length: -1\r\n\r\nx`],
  ['a length in hexadecimal', `${OK}Content-Length: 0x5\r\n\r\n12345`],
  ['a length of 30 digits', `${OK}Content-Length: ${'9'.repeat(30)}\r\n\r\nx`],
  ['an empty length', `${OK}Content-Length:\r\n\r\nx`],
])('a use is a 502, and a check unknown, after %s', async ([, answer, ending]) => {
  pair.answerWith(answer, ending)
  expect(await pair.use()).toBe('502 provider_unreachable')
  expect(await pair.check()).toBe('unknown')
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[name: string, answer: string, used: string, verdict: string]>([
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\n\r\nx', '200 x', 'accepted'],
  ['lines without CR', 'HTTP/1.1 200 OK\nContent-Length: 1\n\nx', '200 x', 'accepted'],
  ['no reason', 'HTTP/1.1 200\r\n\r\nx', '200 x', 'accepted'],
  ['100 before it', `HTTP/1.1 100 Continue\r\n\r\n${OK}\r\nx`, '200 x', 'accepted'],
  ['103 before it', `HTTP/1.1 103 ${MARK}\r\n\r\n${OK}\r\nx`, '200 x', 'accepted'],
  ['a 204 with a body', 'HTTP/1.1 204 x\r\nContent-Length: 1\r\n\r\nx', '204 ', 'accepted'],
  ['a 204 with chunks', `HTTP/1.1 204 x\r\n${CHUNKED}1\r\nx\r\n${LAST}`, '204 ', 'accepted'],
  ['a 205 with a body', 'HTTP/1.1 205 x\r\nContent-Length: 1\r\n\r\nx', '205 ', 'accepted'],
  ['a 304 with a body', 'HTTP/1.1 304 x\r\nContent-Length: 1\r\n\r\nx', '304 ', 'unknown'],
  ['a header of 100 KB', `${OK}X-One: ${'a'.repeat(100_000)}\r\n\r\nx`, '200 x', 'accepted'],
  ['10,000 headers', `${OK}${'X-One: 1\r\n'.repeat(10_000)}\r\nx`, '200 x', 'accepted'],
  ['a length too short', `${OK}Content-Length: 5\r\n\r\n123456`, '200 12345', 'accepted'],
  ['chunks and a length', `${OK}Content-Length: 9\r\n${CHUNKED}${LAST}`, '200 ', 'accepted'],
  ['a trailer', `${OK}${CHUNKED}1;x=y\r\nx\r\n0\r\nX-One: 1\r\n\r\n`, '200 x', 'accepted'],
  ['broken events', `${OK}${SSE}${EVENTS}`, `200 ${EVENTS}`, 'accepted'],
  ['an unknown coding', coded(OK, MARK, 'x'), '200 x', 'accepted'],
  ['a refusal that ends early', `${NO}Content-Length: 2\r\n\r\n${WORD}`, '401 {"', 'unknown'],
  ['an error without a body', `${NO}Content-Length: 0\r\n\r\n`, '401 ', 'unknown'],
])('an odd answer is passed on as it came: %s', async ([, answer, used, verdict]) => {
  pair.answerWith(answer)
  expect(await pair.use()).toBe(used)
  expect(await pair.check()).toBe(verdict)
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[coding: string, bomb: Buffer]>([
  ['gzip', gzipSync(BOMB)],
  ['deflate', deflateSync(BOMB)],
  ['br', brotliCompressSync(BOMB)],
])('ten megabytes in a few kilobytes of %s are passed on as they came', async ([coding, bomb]) => {
  pair.answerWith(coded(OK, coding, bomb))
  expect(await pair.use()).toBe(`200 ${bomb.toString('latin1')}`)
  expect(await pair.check()).toBe('accepted')
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[name: string, coding: string, body: Buffer | string, used: string, verdict: string]>([
  ['gzip', 'gzip', gzipSync(WORD), WORD, 'refused'],
  ['br, which nobody asked for', 'br', brotliCompressSync(WORD), WORD, 'refused'],
  ['identity', 'identity', WORD, WORD, 'refused'],
  ['a bomb of gzip', 'gzip', gzipSync(BOMB), '\0'.repeat(262_144), 'unknown'],
  ['a bomb of br', 'br', brotliCompressSync(BOMB), '\0'.repeat(262_144), 'unknown'],
  ['gzip that lacks its end', 'gzip', gzipSync(WORD).subarray(0, -8), WORD, 'refused'],
  ['no gzip', 'gzip', WORD, '', 'unknown'],
  ['no br', 'br', WORD, '', 'unknown'],
  ['deflate', 'deflate', deflateSync(WORD), '', 'unknown'],
  ['zstd', 'zstd', zstdCompressSync(WORD), '', 'unknown'],
  ['gzip twice', 'gzip, gzip', gzipSync(gzipSync(WORD)), '', 'unknown'],
  ['upper-case gzip', 'GZIP', gzipSync(WORD), '', 'unknown'],
  ['an unknown coding', MARK, WORD, '', 'unknown'],
])('an error is decoded, or has no body: %s', async ([, coding, body, used, verdict]) => {
  pair.answerWith(coded(NO, coding, body))
  expect(await pair.use()).toBe(`401 ${used}`)
  expect(await pair.check()).toBe(verdict)
  expect(await pair.useFine()).toBe('200 fine')
})

it('no hostile answer shows a key or a token in the log, or is a fault of the vault', () => {
  expect(pair.alarms()).toEqual([])
})
