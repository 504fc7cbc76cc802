import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { hideKey, isErrorText, readErrorBody, readStart } from '../../src/providers/error-body.ts'

const KEY = 'sk-Proj-0123456789'
const MAX_BYTES = 262_144

const bytesOf = (text: string) => new TextEncoder().encode(text)
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

/** A body that sends these chunks, and then stays open. */
function openBody(chunks: readonly string[], cancel = () => {}) {
  const start = (controller: ReadableStreamDefaultController) => {
    for (const chunk of chunks) controller.enqueue(bytesOf(chunk))
  }
  return new ReadableStream<Uint8Array>({ start, cancel })
}

it.for<[type: string | null, isText: boolean]>([
  ['application/json', true],
  ['application/problem+json; charset=utf-8', true],
  ['application/vnd.api+json', true],
  ['text/plain', true],
  ['text/html', true],
  ['text/event-stream', true],
  ['application/xml', true],
  ['application/x-ndjson', true],
  ['application/x-www-form-urlencoded', true],
  ['image/svg+xml', true],
  ['multipart/mixed', true],
  ['x', true],
  ['', true],
  [null, true],
  ['image/png, application/json', true],
  ['application/zip+json', true],
  ['imagery/png', true],
  ['image/png', false],
  ['image/png ; q="a b"', false],
  ['AUDIO/mpeg', false],
  ['video/mp4', false],
  ['font/woff2', false],
  ['application/octet-stream', false],
  ['application/pdf', false],
  ['application/zip', false],
  ['application/gzip', false],
  ['application/x-protobuf', false],
])('an error of the type %s is read: %s', ([type, isText]) => {
  const headers = new Headers(type === null ? {} : { 'Content-Type': type })
  const response = (status: number, body: Uint8Array | null = bytesOf('x')) =>
    isErrorText(new Response(body, { status, headers }))
  expect([response(400), response(599)]).toEqual([isText, isText])
  expect([response(200), response(307), response(404, null)]).toEqual([false, false, false])
})

describe('the body of an error', () => {
  it('reads an error up to 256 KiB', async () => {
    for (const [length, isCut] of [
      [MAX_BYTES, false],
      [MAX_BYTES + 1, true],
    ] as const) {
      const read = await readErrorBody(new Response('x'.repeat(length), { status: 500 }))
      expect([read.bytes.length, read.isCut]).toEqual([MAX_BYTES, isCut])
    }
  })

  it('lets an error go once there is enough of it', async () => {
    const cancel = vi.fn<() => void>()
    const chunk = 'x'.repeat(100_000)
    const { bytes, isCut } = await readStart(
      openBody([chunk, chunk, chunk, chunk], cancel),
      150_000,
    )
    expect([bytes.length, isCut]).toEqual([150_000, true])
    expect(cancel).toHaveBeenCalledOnce()
  })

  it('gives an error up after 5 s, with what came before', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const cancel = vi.fn<() => void>()
    const reading = readStart(openBody(['one', 'two'], cancel), MAX_BYTES)
    await vi.advanceTimersByTimeAsync(4_999)
    expect(cancel).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    const { bytes, isCut } = await reading
    expect([textOf(bytes), isCut]).toEqual(['onetwo', true])
    expect(cancel).toHaveBeenCalledOnce()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('returns what came of an error before it broke off', async () => {
    let sent = 0
    const pull = (controller: ReadableStreamDefaultController) => {
      sent += 1
      if (sent === 1) controller.enqueue(bytesOf('one'))
      else controller.error(new Error('Network connection lost.'))
    }
    const { bytes, isCut } = await readStart(new ReadableStream({ pull }), MAX_BYTES)
    expect([textOf(bytes), isCut]).toEqual(['one', true])
  })

  it.for(['deflate', 'zstd', 'compress', 'gzip, gzip', 'br, gzip', 'GZIP', 'aws-chunked'])(
    'an error is empty in the coding %s, which the runtime does not decode',
    async (coding) => {
      const cancel = vi.fn<() => void>()
      const headers = { 'Content-Encoding': coding }
      const response = new Response(openBody([KEY], cancel), {
        status: 400,
        headers,
        encodeBody: 'manual',
      })
      expect((await readErrorBody(response)).bytes).toEqual(new Uint8Array())
      expect(cancel).toHaveBeenCalledOnce()
    },
  )
})

describe('the key in the body of an error', () => {
  const hide = (text: string, { isCut = false, key = KEY } = {}) =>
    textOf(hideKey({ bytes: bytesOf(text), isCut }, key))

  it.for<[name: string, text: string, hidden: string]>([
    ['nothing', '{"error": "é 世"}', '{"error": "é 世"}'],
    ['the key', `é 世 ${KEY} 世`, 'é 世 sk-Proj-... 世'],
    ['the key at the start and the end', `${KEY} ${KEY}`, 'sk-Proj-... sk-Proj-...'],
    ['the key in base64', `Basic ${btoa(`:${KEY}`)} é`, 'Basic Onsk-Proj-...Q== é'],
    ['the key in JSON', '{"key": "sk-Proj\\u002d0123456789"}', '{"key": "sk-Proj-..."}'],
    ['a prefix of the key', `${KEY.slice(0, -1)}!`, `${KEY.slice(0, -1)}!`],
  ])('hides the key in a text with %s', ([, text, hidden]) => expect(hide(text)).toBe(hidden))

  it('writes a preview that a JSON string can hold', () => {
    const key = '"\\"\\"\\"\\"'
    const hidden = hide(JSON.stringify({ error: `key ${key}.` }), { key })
    expect(JSON.parse(hidden)).toEqual({ error: 'key "\\"\\"\\"\\....' })
  })

  it.for<[key: string, text: string, hidden: string]>([
    ['abcd', '{"key": "abcd", "abcde": 1}', '{"key": "****", "abcde": 1}'],
    ['12345678', 'id=912345678', 'id=9****'],
  ])('hides every character of the short key %s', ([key, text, hidden]) => {
    expect(hide(text, { key })).toBe(hidden)
  })

  it('leaves no beginning of the key where a body is cut', () => {
    for (let length = 1; length < KEY.length; length += 1) {
      const text = `key: ${KEY.slice(0, length)}`
      expect(hide(text, { isCut: true })).toBe('key: ')
      expect(hide(text)).toBe(text)
    }
    expect(hide(`key: ${KEY}, ${KEY.slice(0, 9)}`, { isCut: true })).toBe('key: sk-Proj-..., ')
  })

  it('hides a key across the chunks of a body, and across the limit', async () => {
    const filler = 'x'.repeat(MAX_BYTES - KEY.length - 9)
    const chunks = [filler, KEY.slice(0, 7), KEY.slice(7), KEY.slice(0, 9), KEY.slice(9)]
    const read = await readStart(openBody(chunks), MAX_BYTES)
    expect(textOf(hideKey(read, KEY)).slice(filler.length)).toBe('sk-Proj-...')
  })

  it.for<[name: string, around: number[]]>([
    ['Latin-1', [0xe9]],
    ['Shift JIS', [0x83, 0x5c]],
    ['no character set', [0xff, 0xfe, 0x00, 0x80, 0x9f]],
  ])('hides the key among bytes in %s, which stay', ([, around]) => {
    const bytes = Uint8Array.from([...around, ...bytesOf(`"${KEY}"`), ...around])
    const hidden = Uint8Array.from([...around, ...bytesOf('"sk-Proj-..."'), ...around])
    expect(hideKey({ bytes, isCut: false }, KEY)).toEqual(hidden)
  })
})
