/** Answers of a provider that break off, lead away or bring another one: the next use gets its own answer. */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { MARK } from '../fuzz/fuzz.ts'
import { startRawPair, type RawAnswer } from './raw-provider.ts'

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n'
const LAST = '0\r\n\r\n'
const FORGED = `${OK}Content-Length: 6\r\n\r\nforged`

let pair: Awaited<ReturnType<typeof startRawPair>>
beforeAll(async () => {
  pair = await startRawPair()
})
afterAll(async () => pair.close())

it.for<[name: string, answer: string, ending?: RawAnswer['ending']]>([
  ['a length too long', `${OK}Content-Length: 9\r\n\r\nx`],
  ['a length of 18 digits', `${OK}Content-Length: ${'9'.repeat(18)}\r\n\r\nx`],
  ['a reset after the headers', `${OK}\r\n`, 'reset'],
  ['a reset in the body', `${OK}\r\nx`, 'reset'],
  ['no last chunk', `${OK}${CHUNKED}1\r\nx\r\n`],
  ['half a chunk', `${OK}${CHUNKED}50\r\nx`],
  ['a chunk that is longer than its size', `${OK}${CHUNKED}1\r\nxx${LAST}`],
  ['a size that is not a number', `${OK}${CHUNKED}g\r\nx\r\n${LAST}`],
  ['a negative size', `${OK}${CHUNKED}-1\r\nx\r\n${LAST}`],
  ['a size of 2^68', `${OK}${CHUNKED}${'f'.repeat(17)}\r\nx\r\n${LAST}`],
])('an answer that breaks off does so for the caller too: %s', async ([, answer, ending]) => {
  pair.answerWith(answer, ending)
  expect(await pair.use()).toBe('200 cut off')
  expect(await pair.check()).toBe('accepted')
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[location: string, shown: string]>([
  [`https://${MARK}.test/`, `https://${MARK}.test/`],
  ['/v1/other', '/relay/openai/v1/other'],
  ['http://[', 'http://['],
])('a redirect to %s is not followed', async ([location, shown]) => {
  pair.answerWith(`HTTP/1.1 307 x\r\nLocation: ${location}\r\n\r\n`)
  const before = pair.provider.asked()
  expect(await pair.use()).toBe(`307 ${shown}`)
  expect(await pair.check()).toBe('unknown')
  expect(pair.provider.asked()).toBe(before + 2)
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[name: string, answer: string, used: string]>([
  ['after a body', `${OK}Content-Length: 2\r\n\r\nok${FORGED}`, '200 ok'],
  ['after an empty body', `${OK}Content-Length: 0\r\n\r\n${FORGED}`, '200 '],
  ['after chunks', `${OK}${CHUNKED}2\r\nok\r\n${LAST}${FORGED}`, '200 ok'],
  ['after chunks with a length', `${OK}Content-Length: 2\r\n${CHUNKED}${LAST}${FORGED}`, '200 '],
  ['after a 204 with a length', `HTTP/1.1 204 x\r\nContent-Length: 9\r\n\r\n${FORGED}`, '204 '],
  ['after a 304', `HTTP/1.1 304 x\r\n\r\n${FORGED}`, '304 '],
])('a second answer is never that to the next request: %s', async ([, answer, used]) => {
  pair.answerWith(answer, 'stay')
  expect(await pair.use()).toBe(used)
  expect(await pair.useFine()).toBe('200 fine')
})

it('no hostile answer shows a key or a token in the log, or is a fault of the vault', () => {
  expect(pair.alarms()).toEqual([])
})
