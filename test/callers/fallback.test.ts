/** Which requests are sent a second time, with the application's own key. The vault and the provider are stubs. */

import { beforeEach, expect, it, vi } from 'vitest'
import { MAX_LENGTH } from '../../src/callers/body-copy.ts'
import { sendOrRepeat, type FallbackOptions } from '../../src/callers/fallback.ts'
import { errorCode } from '../../src/shared/answers.ts'
import { CODES } from '../../src/shared/error-code.ts'

const URL_ASKED = 'https://api.openai.com/v1/chat'
const OWN = { 'X-Vault-Key': 'own', 'X-Vault-Slot': 'openai' }
const OUT_OF_CREDIT = { ...OWN, 'X-Vault-Condition': 'out_of_credit' }

/** What the provider got with the application's key, and what it answers. */
const seen: { request: Request; body: string }[] = []
let answerOfProvider: () => Response

beforeEach(() => {
  seen.length = 0
  answerOfProvider = () => new Response('paid by the application')
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    const request = new Request(input, init)
    request.signal.throwIfAborted()
    seen.push({ request, body: await request.text() })
    return answerOfProvider()
  })
})

const OPTIONS = { provider: 'openai', fallback: { apiKey: 'sk-app' } }

/** Asks the vault, which reads the body and answers with these headers. */
async function ask(
  answer: { status?: number; headers?: Record<string, string> },
  init: RequestInit = {},
  options: FallbackOptions = OPTIONS,
) {
  const { status = 404, headers = { 'X-Vault-Error': 'no_api_key' } } = answer
  const headersAsked = new Headers(init.headers)
  headersAsked.set('Authorization', 'Bearer in the vault')
  const asked = { ...init, headers: headersAsked }
  const request = new Request(URL_ASKED, asked)
  return sendOrRepeat({ request, init: asked }, options, async () => {
    await request.text()
    return new Response('of the vault', { status, headers })
  })
}

const post = (body: RequestInit['body']): RequestInit => ({ method: 'POST', body: body ?? null })

it('no_api_key and user_not_found fall back, and no other refusal', async () => {
  for (const code of errorCode.options) {
    await ask({ status: CODES[code].status, headers: { 'X-Vault-Error': code } })
    const { length } = seen.splice(0)
    expect([code, length]).toEqual([code, ['no_api_key', 'user_not_found'].includes(code) ? 1 : 0])
  }
})

it.for<[what: string, status: number, headers: Record<string, string>]>([
  ['a success', 200, OWN],
  ['a 401', 401, OWN],
  ['a 402', 402, OWN],
  ['a plain 429', 429, OWN],
  ['a 500', 500, OWN],
  ['another condition', 429, { ...OWN, 'X-Vault-Condition': 'tired' }],
  ['no vault at all', 404, {}],
])('an answer with %s is returned as it is', async ([, status, headers]) => {
  const response = await ask({ status, headers })
  expect([response.status, await response.text()]).toEqual([status, 'of the vault'])
  expect(seen).toEqual([])
})

it('a request falls back if its answer says that the account is out of credit', async () => {
  const response = await ask({ status: 429, headers: OUT_OF_CREDIT }, post('the body'))
  expect([response.status, await response.text()]).toEqual([200, 'paid by the application'])
  expect(seen).toMatchObject([{ body: 'the body', request: { method: 'POST', url: URL_ASKED } }])
})

it('no body is copied and no request sent again without a fallback', async () => {
  const clone = vi.spyOn(Request.prototype, 'clone')
  await ask({}, post('the body'), { provider: 'openai' })
  expect([clone.mock.calls.length, seen.length]).toEqual([0, 0])
})

it('the provider gets the application’s key, and no other credential', async () => {
  const headers = { Cookie: 'a=b', 'X-Vault-User': 'john', 'X-Auth-Token': 'b', 'OpenAI-Beta': 'c' }
  await ask({}, { ...post('the body'), headers })
  const [{ request } = { request: new Request(URL_ASKED) }] = seen
  expect(Object.fromEntries(request.headers)).toEqual({
    authorization: 'Bearer sk-app',
    'content-type': 'text/plain;charset=UTF-8',
    'openai-beta': 'c',
  })
  expect(request.redirect).toBe('manual')
})

it('the answer says that the application’s key was used, and has no forged header of the vault', async () => {
  const headers = {
    'X-Vault-Key': 'own',
    'X-Vault-Error': 'no_api_key',
    'X-Vault-Condition': 'out_of_credit',
    'X-Vault-Anything': 'a',
    'X-Request-Id': 'req-1',
  }
  answerOfProvider = () => new Response('a body', { status: 418, headers })
  const response = await ask({})
  expect([response.status, await response.text()]).toEqual([418, 'a body'])
  expect(Object.fromEntries(response.headers)).toEqual({
    'content-type': 'text/plain;charset=UTF-8',
    'x-request-id': 'req-1',
    'x-vault-key': 'application',
  })
})

it.for<[what: string, cancel: () => Promise<void>]>([
  ['ends', async () => {}],
  ['has broken off', async () => Promise.reject(new Error('broken off'))],
])('the vault’s answer that %s is dropped for that of the provider', async ([, cancel]) => {
  const cancelled = vi.fn<() => Promise<void>>(cancel)
  const headers = { 'X-Vault-Error': 'no_api_key' }
  const request = new Request(URL_ASKED, { headers: { Authorization: 'a' } })
  const refused = new Response(new ReadableStream({ cancel: cancelled }), { headers })
  const answer = sendOrRepeat({ request, init: undefined }, OPTIONS, async () => refused)
  expect(await (await answer).text()).toBe('paid by the application')
  expect(cancelled).toHaveBeenCalledTimes(1)
})

it('an answer of the fallback is never followed by another request', async () => {
  answerOfProvider = () => new Response(null, { status: 429, headers: OUT_OF_CREDIT })
  expect((await ask({})).status).toBe(429)
  expect(seen.length).toBe(1)
})

const streamOf = (text: string) => new Blob([text]).stream()

it.for<[kind: string, body: () => RequestInit['body'], sent: string]>([
  ['a text', () => 'text', 'text'],
  ['an empty text', () => '', ''],
  ['bytes', () => new TextEncoder().encode('bytes'), 'bytes'],
  ['a blob', () => new Blob(['blob']), 'blob'],
  ['parameters', () => new URLSearchParams({ a: 'b' }), 'a=b'],
  ['a stream', () => streamOf('stream'), 'stream'],
])('%s is sent again', async ([, body, sent]) => {
  await ask({}, post(body()))
  expect(seen.map((one) => one.body)).toEqual([sent])
})

it('a form is sent again with its boundary', async () => {
  const form = new FormData()
  form.set('file', new Blob(['in a form']), 'a.txt')
  await ask({}, post(form))
  const [{ request, body } = { request: new Request(URL_ASKED), body: '' }] = seen
  const type = request.headers.get('Content-Type') ?? ''
  const sent = await new Response(body, { headers: { 'Content-Type': type } }).formData()
  const file = sent.get('file')
  expect(file instanceof File ? await file.text() : null).toBe('in a form')
})

it.for<[kind: string, make: (text: string) => RequestInit['body']]>([
  ['text', (text) => text],
  ['stream', streamOf],
])('a %s of 1 MiB is sent again, and a longer one is not', async ([, make]) => {
  await ask({}, post(make('x'.repeat(MAX_LENGTH))))
  expect(seen.map(({ body }) => body.length)).toEqual([MAX_LENGTH])
  const response = await ask({}, post(make('x'.repeat(MAX_LENGTH + 1))))
  expect([response.headers.get('X-Vault-Error'), await response.text()]).toEqual([
    'no_api_key',
    'of the vault',
  ])
  expect(seen.length).toBe(1)
})

it('a WebSocket is never opened again', async () => {
  const response = await ask({}, { headers: { Upgrade: 'websocket' } })
  expect([response.headers.get('X-Vault-Error'), seen.length]).toEqual(['no_api_key', 0])
})

it('a request without a key of its own is not sent again', async () => {
  const request = new Request(URL_ASKED)
  const send = async () => new Response(null, { headers: { 'X-Vault-Error': 'no_api_key' } })
  await sendOrRepeat({ request, init: undefined }, OPTIONS, send)
  expect(seen).toEqual([])
})

/** A request whose body never ends, and which the vault refuses before that. */
function endless() {
  const leaving = new AbortController()
  const cancelled = vi.fn<() => void>()
  const body = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
    cancel: cancelled,
  })
  const init = { method: 'POST', body, headers: { Authorization: 'a' }, signal: leaving.signal }
  const request = new Request(URL_ASKED, init)
  const send = async () => {
    await request.body?.cancel()
    return new Response(null, { headers: { 'X-Vault-Error': 'no_api_key' } })
  }
  return { leaving, cancelled, answer: sendOrRepeat({ request, init }, OPTIONS, send) }
}

it('an abort ends the wait for the rest of a body', async () => {
  const { leaving, cancelled, answer } = endless()
  leaving.abort()
  await expect(answer).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
  expect(cancelled).toHaveBeenCalled()
})

it('an abort ends the repeat', async () => {
  const leaving = new AbortController()
  const headers = { Authorization: 'a' }
  const request = new Request(URL_ASKED, { headers, signal: leaving.signal })
  const refused = new Response(null, { headers: { 'X-Vault-Error': 'no_api_key' } })
  await sendOrRepeat({ request, init: undefined }, OPTIONS, async () => refused)
  leaving.abort()
  expect(seen[0]?.request.signal.aborted).toBe(true)
})

it('an error of the vault’s connection is thrown, and the copy of the body ends', async () => {
  const cancelled = vi.fn<() => void>()
  const init = { ...post(new ReadableStream({ cancel: cancelled })), headers: { 'Api-Key': 'own' } }
  const request = new Request(URL_ASKED, init)
  const answer = sendOrRepeat({ request, init }, OPTIONS, async () => {
    await request.body?.cancel()
    throw new Error('no vault')
  })
  await expect(answer).rejects.toThrow('no vault')
  await vi.waitFor(() => expect(cancelled).toHaveBeenCalled())
  expect(seen).toEqual([])
})

it('an error of the provider’s connection is thrown', async () => {
  answerOfProvider = () => {
    throw new TypeError('no provider')
  }
  await expect(ask({})).rejects.toThrow('no provider')
})

it.for<[what: string, answer: Parameters<typeof ask>[0], told: object[]]>([
  ['the user’s key', { status: 200, headers: OWN }, [{ source: 'own', reason: null }]],
  ['the user’s key for an error', { status: 500, headers: OWN }, [{ source: 'own', reason: null }]],
  ['the key of the application', {}, [{ source: 'application', reason: 'no_api_key' }]],
  [
    'the key of the application for a user who does not exist',
    { headers: { 'X-Vault-Error': 'user_not_found' } },
    [{ source: 'application', reason: 'user_not_found' }],
  ],
  [
    'the key of the application alone if both were used',
    { headers: OUT_OF_CREDIT },
    [{ source: 'application', reason: 'out_of_credit' }],
  ],
  ['no key for a refusal', { headers: { 'X-Vault-Error': 'api_key_paused' } }, []],
  ['no key for an answer of another server', { headers: { 'X-Vault-Key': 'any' } }, []],
])('onKey gets %s', async ([, answer, told]) => {
  const onKey = vi.fn<NonNullable<FallbackOptions['onKey']>>()
  await ask(answer, {}, { ...OPTIONS, onKey })
  expect(onKey.mock.calls).toEqual(told.map((use) => [{ ...use, slot: 'openai' }]))
})

it('onKey gets the slot that the vault names, and the user’s key if a body is too long to repeat', async () => {
  const onKey = vi.fn<NonNullable<FallbackOptions['onKey']>>()
  const long = post('x'.repeat(MAX_LENGTH + 1))
  await ask({ headers: OUT_OF_CREDIT }, long, { ...OPTIONS, provider: 'default', onKey })
  expect(onKey.mock.calls).toEqual([[{ source: 'own', slot: 'openai', reason: null }]])
})

it('onKey gets the name of a slot as it is', async () => {
  const onKey = vi.fn<NonNullable<FallbackOptions['onKey']>>()
  const headers = { ...OWN, 'X-Vault-Slot': 'openai:%E4%BB%95%E4%BA%8B' }
  await ask({ headers }, {}, { ...OPTIONS, onKey })
  expect(onKey).toHaveBeenCalledWith({ source: 'own', slot: 'openai:仕事', reason: null })
})

it('an answer waits for onKey', async () => {
  const order: string[] = []
  const { promise: recorded, resolve } = Promise.withResolvers<void>()
  const onKey = async () => {
    await recorded
    order.push('recorded')
  }
  const answered = ask({}, {}, { ...OPTIONS, onKey }).then(() => order.push('answered'))
  await vi.waitFor(() => expect(seen.length).toBe(1))
  resolve()
  await answered
  expect(order).toEqual(['recorded', 'answered'])
})

it.for<[how: string, onKey: () => Promise<void>]>([
  [
    'throws',
    () => {
      throw new Error('no database')
    },
  ],
  ['rejects', async () => Promise.reject(new Error('no database'))],
])('an answer is not lost if onKey %s', async ([, onKey]) => {
  const logged = vi.spyOn(console, 'error').mockReturnValue()
  const response = await ask({}, {}, { ...OPTIONS, onKey })
  expect(await response.text()).toBe('paid by the application')
  expect(logged.mock.calls).toEqual([['onKey failed', new Error('no database')]])
})
