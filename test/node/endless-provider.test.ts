/** Answers of a provider that never end: the vault reads no more of one than it needs. */

import { once } from 'node:events'
import { constants, deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { bytesOf, connectTo } from './raw-client.ts'
import { startRawPair } from './raw-provider.ts'

/** What the sockets of both sides may hold beyond what was read. */
const MAX_BYTES = 32_000_000
/** How a gzip stream begins (RFC 1952 §2.3). */
const GZIP = '\x1F\x8B\x08\0\0\0\0\0\0\x03'
/** A block of a kilobyte that unpacks to a megabyte. */
const BLOCK = deflateRawSync(Buffer.alloc(1_000_000), { finishFlush: constants.Z_FULL_FLUSH })

let pair: Awaited<ReturnType<typeof startRawPair>>
beforeAll(async () => {
  pair = await startRawPair()
})
afterAll(async () => pair.close())

/** Sets an answer that begins with `start` and goes on with `endless`, or stays silent. */
function answerWith(start: string, endless: Buffer | undefined): void {
  const more = endless !== undefined && { endless }
  pair.provider.answerWith({ bytes: Buffer.from(start, 'latin1'), ending: 'stay', ...more })
}

const OK = 'HTTP/1.1 200 OK\r\n'
const NO = 'HTTP/1.1 401 No\r\n'
const ZIPPED = 'Content-Encoding: gzip\r\n\r\n'
const X = Buffer.alloc(16_384, 'x')
const HEADERS = Buffer.from('X-One: 1\r\n'.repeat(1_000))

it.for<[name: string, verdict: string, start: string, endless?: Buffer]>([
  ['a body', 'accepted', `${OK}\r\n`, X],
  ['a body that stops', 'accepted', `${OK}Content-Length: 9\r\n\r\nx`],
  ['a refusal', 'unknown', `${NO}\r\n`, X],
  ['a refusal that goes on', 'unknown', `${NO}\r\n{"error": {"code": "invalid_api_key"}}`, X],
  ['a compressed bomb', 'accepted', `${OK}${ZIPPED}${GZIP}`, BLOCK],
  ['a refusal that is a compressed bomb', 'unknown', `${NO}${ZIPPED}${GZIP}`, BLOCK],
  ['headers', 'unknown', OK, HEADERS],
  ['one header', 'unknown', `${OK}X-One: `, X],
  ['a status line', 'unknown', 'HTTP/1.1 200 ', X],
])(
  'a check reads no more than it needs of an endless answer: %s',
  async ([, verdict, start, endless]) => {
    answerWith(start, endless)
    const gone = pair.provider.gone()
    expect(await pair.check()).toBe(verdict)
    expect(await gone).toBeLessThan(MAX_BYTES)
    expect(await pair.useFine()).toBe('200 fine')
  },
)

/** Reads a megabyte of the relay's answer, and leaves. */
async function readStart(): Promise<string> {
  const { vault } = pair
  const socket = connectTo(vault.url)
  const headers = [`Host: ${new URL(vault.url).host}`, `Authorization: Bearer ${vault.token}`]
  socket.write(bytesOf({ line: 'GET /relay/openai/v1 HTTP/1.1', headers }))
  const chunks: Buffer[] = []
  for (let length = 0; length < 1_000_000;) {
    const [chunk]: Buffer[] = await once(socket, 'data')
    if (chunk === undefined) break
    chunks.push(chunk)
    length += chunk.length
  }
  socket.resetAndDestroy()
  return Buffer.concat(chunks).toString('latin1')
}

it.for<[name: string, start: string, endless: Buffer, seen: string]>([
  ['a body', `${OK}\r\n`, X, 'xxxx'],
  ['a compressed bomb', `${OK}${ZIPPED}${GZIP}`, BLOCK, GZIP],
])('a use gets the start of an endless answer: %s', async ([, start, endless, seen]) => {
  answerWith(start, endless)
  const gone = pair.provider.gone()
  const answer = await readStart()
  expect(answer.slice(answer.indexOf('\r\n\r\n'))).toContain(seen)
  expect(await gone).toBeLessThan(MAX_BYTES)
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[name: string, start: string, endless: Buffer, character: string]>([
  ['a refusal', `${NO}\r\n`, X, 'x'],
  ['a refusal that is a compressed bomb', `${NO}${ZIPPED}${GZIP}`, BLOCK, '\0'],
])('a use gets 256 KiB of an endless error: %s', async ([, start, endless, character]) => {
  answerWith(start, endless)
  const gone = pair.provider.gone()
  expect(await pair.use()).toBe(`401 ${character.repeat(262_144)}`)
  expect(await gone).toBeLessThan(MAX_BYTES)
  expect(await pair.useFine()).toBe('200 fine')
})

it.for<[name: string, start: string, endless: Buffer]>([
  ['headers', OK, HEADERS],
  ['one header', `${OK}X-One: `, X],
  ['a status line', 'HTTP/1.1 200 ', X],
])('a use is refused if the answer is endless before its body: %s', async ([, start, endless]) => {
  answerWith(start, endless)
  const gone = pair.provider.gone()
  expect(await pair.use()).toBe('502 provider_unreachable')
  expect(await gone).toBeLessThan(MAX_BYTES)
  expect(await pair.useFine()).toBe('200 fine')
})
