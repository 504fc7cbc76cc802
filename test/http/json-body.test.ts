/** What a body may hold, how large it may be and how slowly it may come. */

import { HonoRequest } from 'hono/request'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { readJson } from '../../src/http/json-body.ts'
import { env } from '../isolate.ts'
import {
  app,
  keyPath,
  mintToken,
  putKey,
  recordLogs,
  slotPath,
  someKey,
  someUser,
  storedKey,
  URL_BASE,
} from '../support.ts'

const BODY = `{"api_key":"${someKey()}"}`
const DEADLINE_MS = 10_000
const TOO_LARGE = { code: 'body_too_large', detail: 'The limit is 16384 bytes.' }
const TOO_SLOW = { code: 'body_too_slow', detail: 'The whole body must arrive within 10 seconds.' }

type Headers = Record<string, string>

function requestOf(body: BodyInit | null, headers: Headers = {}): HonoRequest {
  const sent = { 'Content-Type': 'application/json', ...headers }
  return new HonoRequest(new Request(URL_BASE, { method: 'PUT', headers: sent, body }))
}

const read = async (body: BodyInit | null, headers?: Headers) => readJson(requestOf(body, headers))

describe('the syntax', () => {
  it.for<[name: string, body: string | null]>([
    ['no body', null],
    ['an empty body', ''],
  ])('returns undefined for %s', async ([, body]) => {
    expect(await read(body)).toBeUndefined()
    expect(await read(body, { 'Content-Type': 'text/plain' })).toBeUndefined()
  })

  it.for([
    '{"api_key": sk-secret}',
    "{'api_key': 'sk-secret'}",
    '{"api_key":"sk-secret"',
    'api_key=sk-secret',
    'sk-secret',
    ' \n',
    '{"api_key":"sk-secret"}}',
  ])('refuses a body that is not JSON, and does not quote it: %j', async (body) => {
    const detail = 'The body is not JSON: check its quotes, commas and braces.'
    await expect(read(body)).rejects.toMatchObject({ code: 'invalid_json', detail })
  })

  it('recognizes an object that was not stringified', async () => {
    const detail: unknown = expect.stringContaining('JSON.stringify')
    await expect(read('[object Object]')).rejects.toMatchObject({ code: 'invalid_json', detail })
  })
})

describe('the Content-Type', () => {
  it.for<[contentType: string, named: string]>([
    ['text/plain;charset=UTF-8', 'text/plain'],
    ['application/x-www-form-urlencoded', 'application/x-www-form-urlencoded'],
    ['multipart/form-data; boundary=sk-secret', 'multipart/form-data'],
    ['application/jsonp', 'application/jsonp'],
    ['sk-secret', 'not supported'],
    ['text/sk-secret', 'not supported'],
    ['text/secret1', 'not supported'],
    ['', 'missing'],
  ])('refuses the Content-Type %j as %s', async ([type, named]) => {
    const refused = read('{"api_key":"sk-1"}', { 'Content-Type': type })
    const detail = `The Content-Type is ${named}; send Content-Type: application/json.`
    await expect(refused).rejects.toMatchObject({ code: 'content_type_not_json', detail })
  })

  it.for(['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.api+json'])(
    'accepts the Content-Type %s as JSON',
    async (type) => expect(await read('{"a":1}', { 'Content-Type': type })).toEqual({ a: 1 }),
  )
})

describe('the size', () => {
  /** A valid body of `length` bytes. */
  const bodyOf = (length: number) => '{"a":"ü"}'.padEnd(length - 1, ' ')
  const chunk = new TextEncoder().encode(`{"api_key": "${'x'.repeat(8_000)}`)

  it('accepts 16,384 bytes and refuses one more', async () => {
    expect(await read(bodyOf(16_384))).toEqual({ a: 'ü' })
    await expect(read(bodyOf(16_385))).rejects.toMatchObject(TOO_LARGE)
  })

  it('refuses a Content-Length over the limit', async () => {
    const refused = read(bodyOf(100), { 'Content-Length': '16385' })
    await expect(refused).rejects.toMatchObject(TOO_LARGE)
  })

  it('accepts and refuses the same sizes if another middleware has read the body', async () => {
    const [fits, tooLarge] = [requestOf(bodyOf(16_384)), requestOf(bodyOf(16_385))]
    await Promise.all([fits.text(), tooLarge.text()])
    expect(await readJson(fits)).toEqual({ a: 'ü' })
    await expect(readJson(tooLarge)).rejects.toMatchObject(TOO_LARGE)
  })

  it('reads no more than the limit of a body that never ends, and cancels it', async () => {
    const cancel = vi.fn<() => void>()
    let pulled = 0
    const pull = (controller: ReadableStreamDefaultController) => {
      pulled += 1
      controller.enqueue(chunk)
    }
    const endless = read(new ReadableStream({ pull, cancel }), { 'Content-Length': '20' })
    await expect(endless).rejects.toMatchObject(TOO_LARGE)
    expect(pulled).toBeLessThan(6)
    expect(cancel).toHaveBeenCalledOnce()
  })

  it.for(['0', '-1', '5', '0x10', '1e3', 'abc', '31, 31', ''])(
    'reads the whole body despite the Content-Length %j, which only a binding lets through',
    async (length) =>
      expect(await read(BODY, { 'Content-Length': length })).toEqual(JSON.parse(BODY)),
  )

  it('refuses a body that breaks off', async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(chunk)
        controller.error(new Error('reset'))
      },
    })
    const detail = 'The body is incomplete.'
    await expect(read(broken)).rejects.toMatchObject({ code: 'invalid_json', detail })
  })
})

/** Parts of a body, each with the milliseconds that it takes; it stalls after them. */
type Parts = readonly [text: string, ms: number][]

/** A body that ends only if it `ends`, and what was done with it. */
function slowBody(parts: Parts, ends = false) {
  const [asked, left] = [Promise.withResolvers<void>(), [...parts]]
  const cancel = vi.fn<() => Promise<void>>()
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    asked.resolve()
    const next = left.shift()
    if (next === undefined) return ends ? controller.close() : new Promise<void>(() => {})
    const [text, ms] = next
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
    controller.enqueue(new TextEncoder().encode(text))
  }
  const body = new ReadableStream<Uint8Array>({ pull, cancel }, { highWaterMark: 0 })
  return { body, cancel, asked: asked.promise, left }
}

function useFakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
}

describe('the time', () => {
  it.for<[name: string, parts: Parts, headers?: Headers]>([
    ['nothing comes', []],
    ['half of it comes', [[BODY.slice(0, 9), 0]]],
    ['half of its known length comes', [[BODY.slice(0, 9), 0]], { 'Content-Length': '60' }],
    ['all of it comes, but not its end', [[BODY, 0]]],
    ['it comes byte by byte', Array.from(BODY, (byte) => [byte, 1_000])],
  ])('refuses a body after 10 s, and cancels it, if %s', async ([, parts, headers]) => {
    useFakeTimers()
    const { body, cancel, asked } = slowBody(parts)
    const ended = vi.fn<(error: unknown) => void>()
    const answer = read(body, headers).catch(ended)
    await asked
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1)
    expect(ended).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    await answer
    expect(ended.mock.lastCall).toMatchObject([TOO_SLOW])
    expect(cancel).toHaveBeenCalledOnce()
  })

  it('refuses a body after 10 s even if its source never lets go of it', async () => {
    useFakeTimers()
    const { body, cancel, asked } = slowBody([])
    cancel.mockReturnValue(new Promise(() => {}))
    const refusal = read(body).catch((error: unknown) => error)
    await asked
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(await refusal).toMatchObject(TOO_SLOW)
  })

  it('reads a slow body that arrives within 10 s, and leaves no timer', async () => {
    useFakeTimers()
    const parts: Parts = [
      [BODY.slice(0, 9), 5_000],
      [BODY.slice(9), 4_999],
    ]
    const { body, asked } = slowBody(parts, true)
    const answer = read(body)
    await asked
    await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1)
    expect(await answer).toEqual(JSON.parse(BODY))
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('the routes', () => {
  const KEPT = someKey()
  let userId: string
  let token: string

  beforeEach(async () => {
    userId = await someUser()
    token = await mintToken({ sub: userId })
    await putKey(userId, KEPT)
  })

  /** Sends a body that stalls. */
  async function stall(method: string, path: string, { headers = {}, vault = env }: Stalled = {}) {
    useFakeTimers()
    const { body, asked, left } = slowBody([[BODY.slice(0, 9), 0]])
    const auth = {
      Authorization: `Bearer ${token}`,
      'Content-Type': 'application/json',
      ...headers,
    }
    const request = new Request(URL_BASE + path, { method, headers: auth, body })
    const answer = (async () => {
      const response = await app.fetch(request, vault)
      return { status: response.status, body: await response.json() }
    })()
    return { answer, asked, left }
  }

  interface Stalled {
    headers?: Headers
    vault?: Env
  }

  it.for<[name: string, method: string, path: () => string]>([
    ['PUT of the plain route', 'PUT', () => keyPath(userId)],
    ['PUT of a slot', 'PUT', () => slotPath(userId, 'openai')],
    ['PUT of an unknown provider', 'PUT', () => slotPath(userId, 'nobody')],
    ['PATCH of a slot', 'PATCH', () => slotPath(userId, 'openai')],
  ])('a %s with a body that stalls is a 408, and changes nothing', async ([, method, path]) => {
    const logs = recordLogs()
    const { answer, asked } = await stall(method, path())
    await asked
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(await answer).toEqual({
      status: 408,
      body: {
        error: 'Request body arrived too slowly',
        ...TOO_SLOW,
        request_id: expect.any(String),
      },
    })
    expect(logs.events()).toMatchObject([{ event: 'request', code: 'body_too_slow' }])
    expect(await storedKey(userId)).toBe(KEPT)
    expect((await putKey(userId, someKey())).status).toBe(200)
  })

  const busy = { limit: async () => ({ success: false }) }
  it.for<[code: string, status: number, path: () => string, sent: Stalled]>([
    ['token_invalid', 401, () => keyPath(userId), { headers: { Authorization: 'Bearer other' } }],
    ['not_your_own', 403, () => keyPath('another'), {}],
    ['rate_limited', 429, () => keyPath(userId), { vault: { ...env, RATE_LIMITER: busy } }],
    ['invalid_query', 400, () => `${slotPath(userId, 'openai')}?verify=1`, {}],
    ['body_too_large', 413, () => keyPath(userId), { headers: { 'Content-Length': '16385' } }],
  ])('the refusal %s does not wait for a body that stalls', async ([code, status, path, sent]) => {
    const { answer, left } = await stall('PUT', path(), sent)
    expect(await answer).toMatchObject({ status, body: { code } })
    expect(left, 'parts that were not read').toHaveLength(1)
  })
})
