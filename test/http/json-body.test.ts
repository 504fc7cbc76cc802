/** Bodies that stall: how long the vault waits for them, and what it has done by then. */

import { env } from '../isolate.ts'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  app,
  call,
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

const KEPT = someKey()
const BODY = `{"api_key":"${someKey()}"}`
const DEADLINE_MS = 10_000

let userId: string
let token: string

beforeEach(async () => {
  userId = await someUser()
  token = await mintToken({ sub: userId })
  await putKey(userId, KEPT)
})

/** Parts of a body, each with the milliseconds that it takes; it stalls after them. */
type Parts = readonly [text: string, ms: number][]

/** A body that ends only if it `ends`, and what the vault did with it. */
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

interface Sent {
  body: ReadableStream
  headers?: Record<string, string>
  vault?: Env
}

/** Sends the body, and records when it was answered. */
function send(method: string, path: string, { body, headers = {}, vault = env }: Sent) {
  const sent = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', ...headers }
  const request = new Request(URL_BASE + path, { method, headers: sent, body })
  const answered = { isDone: false }
  const answer = (async () => {
    const response = await app.fetch(request, vault)
    answered.isDone = true
    return { status: response.status, body: await response.json() }
  })()
  return { answer, answered }
}

function useFakeTimers(): void {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
}

const TOO_SLOW = {
  status: 408,
  body: {
    error: 'Request body came too slowly',
    code: 'body_too_slow',
    detail: 'The whole body must arrive within 10 s.',
    request_id: expect.any(String),
  },
}

const ROUTES: [name: string, method: string, path: () => string][] = [
  ['PUT of the plain route', 'PUT', () => keyPath(userId)],
  ['PUT of a slot', 'PUT', () => slotPath(userId, 'openai')],
  ['PUT of an unknown provider', 'PUT', () => slotPath(userId, 'nobody')],
  ['PATCH of a slot', 'PATCH', () => slotPath(userId, 'openai')],
]

const STALLED: [name: string, parts: Parts, headers?: Record<string, string>][] = [
  ['nothing comes', []],
  ['half of it comes', [[BODY.slice(0, 9), 0]]],
  [
    'its length is known, and half of it comes',
    [[BODY.slice(0, 9), 0]],
    { 'Content-Length': '60' },
  ],
  ['all of it comes, but not its end', [[BODY, 0]]],
  ['it comes byte by byte', Array.from(BODY, (byte) => [byte, 1_000])],
]

describe('a body that stalls is a 408 after 10 s, and changes nothing', () => {
  const cases = ROUTES.flatMap((route) => STALLED.map((stalled) => [route, stalled] as const))
  it.for(cases.map(([route, stalled]) => [route[0], stalled[0], route, stalled] as const))(
    '%s: %s',
    async ([, , [, method, path], [, parts, headers = {}]]) => {
      const logs = recordLogs()
      useFakeTimers()
      const { body, cancel, asked } = slowBody(parts)
      const { answer, answered } = send(method, path(), { body, headers })
      await asked
      await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1)
      expect(answered.isDone).toBe(false)
      await vi.advanceTimersByTimeAsync(1)
      expect(await answer).toEqual(TOO_SLOW)
      expect(cancel).toHaveBeenCalledOnce()
      expect(logs.events()).toMatchObject([{ event: 'request', code: 'body_too_slow' }])
      expect(await storedKey(userId)).toBe(KEPT)
      expect((await putKey(userId, someKey())).status).toBe(200)
    },
  )

  it('even if its source never lets go of it', async () => {
    useFakeTimers()
    const { body, cancel, asked } = slowBody([])
    cancel.mockReturnValue(new Promise(() => {}))
    const { answer } = send('PUT', keyPath(userId), { body })
    await asked
    await vi.advanceTimersByTimeAsync(DEADLINE_MS)
    expect(await answer).toEqual(TOO_SLOW)
  })
})

it('a slow body that arrives within 10 s is saved, and leaves no timer', async () => {
  useFakeTimers()
  const parts: Parts = [
    [BODY.slice(0, 9), 5_000],
    [BODY.slice(9), 4_999],
  ]
  const { body, asked } = slowBody(parts, true)
  const { answer } = send('PUT', keyPath(userId), { body })
  await asked
  await vi.advanceTimersByTimeAsync(DEADLINE_MS - 1)
  expect(await answer).toMatchObject({ status: 200 })
  expect(vi.getTimerCount()).toBe(0)
  expect(await storedKey(userId)).toBe(JSON.parse(BODY).api_key)
})

describe('a refusal does not wait for a body that stalls', () => {
  const other = { Authorization: 'Bearer other' }
  const busy = { limit: async () => ({ success: false }) }
  it.for<[code: string, status: number, path: () => string, sent: Omit<Sent, 'body'>]>([
    ['token_invalid', 401, () => keyPath(userId), { headers: other }],
    ['not_your_own', 403, () => keyPath('another'), {}],
    ['rate_limited', 429, () => keyPath(userId), { vault: { ...env, RATE_LIMITER: busy } }],
    ['invalid_query', 400, () => `${slotPath(userId, 'openai')}?verify=1`, {}],
    ['body_too_large', 413, () => keyPath(userId), { headers: { 'Content-Length': '16385' } }],
  ])('%s', async ([code, status, path, sent]) => {
    useFakeTimers()
    const { body, left } = slowBody([[BODY, 0]])
    const { answer } = send('PUT', path(), { body, ...sent })
    expect(await answer).toMatchObject({ status, body: { code } })
    expect(left, 'parts that were not read').toHaveLength(1)
  })
})

it('a body that grows too large is a 413, and is cancelled', async () => {
  const { body, cancel } = slowBody([['x'.repeat(16_385), 0]])
  const { answer } = send('PUT', keyPath(userId), { body })
  expect(await answer).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
  expect(cancel).toHaveBeenCalledOnce()
})

it('a request without a body does not wait', async () => {
  const response = await call('PUT', keyPath(userId), { token })
  expect(await response.json()).toMatchObject({ code: 'api_key_missing' })
})
