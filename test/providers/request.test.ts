import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Provider } from '../../src/providers/provider.ts'
import { fetchWithKey, isRefusal, tryKey } from '../../src/providers/request.ts'
import { PROVIDER, seenByProvider } from '../support.ts'

const PATH = `${PROVIDER}/v1/models`

const openai: Provider = {
  label: 'OpenAI',
  origin: PROVIDER,
  header: 'Authorization',
  scheme: 'Bearer',
  request_headers: ['openai-*'],
  probe: '/v1/models',
  refusals: [
    { status: 401, field: 'error.message', value: 'Incorrect API key*' },
    { status: 200, field: 'disabled', value: true },
  ],
}
const { origin: _, ...withoutOrigin } = openai
const hosted: Provider = { ...withoutOrigin, hosts: [new URL(PROVIDER).host], probe: '/models' }

const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

/** Sends a request with a key that the provider accepts. */
async function send(url: string, init: RequestInit = {}, provider = openai) {
  const key = someKeyOf('good')
  const response = await fetchWithKey(provider, key, new Request(url, init))
  return { key, response, seen: async () => seenByProvider(key) }
}

describe('a request with a key', () => {
  it('adds the key, and removes the caller’s own credentials and hop-by-hop headers', async () => {
    const word = crypto.randomUUID()
    const { key, response, seen } = await send(`${PROVIDER}/v1/models?a=b`, {
      method: 'POST',
      body: '{"model": "x"}',
      headers: {
        Authorization: `Bearer ${word}`,
        'X-API-Key': word,
        'x-goog-api-key': word,
        'API-Key': word,
        Cookie: `session=${word}`,
        'Proxy-Authorization': word,
        'X-Forwarded-For': word,
        'CF-Connecting-IP': word,
        Connection: 'close, X-Hop',
        'X-Hop': word,
        'Content-Type': 'application/json',
        'OpenAI-Beta': 'yes',
        'X-Auth-Token': word,
        'X-Amz-Security-Token': word,
        Via: word,
      },
    })
    expect([response.status, await response.json()]).toEqual([200, { data: [] }])
    const sent = await seen()
    expect(sent).toMatchObject([
      {
        method: 'POST',
        url: '/v1/models?a=b',
        body: '{"model": "x"}',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          'openai-beta': 'yes',
        },
      },
    ])
    expect(JSON.stringify(sent)).not.toContain(word)
  })

  it.for(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])(
    'sends the method %s',
    async (method) => {
      const { response, seen } = await send(PATH, { method })
      await response.text()
      expect(await seen()).toMatchObject([{ method }])
    },
  )

  it.for<[query: string, parameter: string | undefined, sent: string]>([
    ['?a=%20b&key=mine&c', 'key', '?a=+b&c='],
    ['?key=one&key=two', 'key', ''],
    ['?a=%20b&c&KEY=x', 'key', '?a=%20b&c&KEY=x'],
    ['?key=mine', undefined, '?key=mine'],
  ])('sends the query %s without the parameter %s: %s', async ([query, parameter, sent]) => {
    const provider = { ...openai, ...(parameter !== undefined && { parameter }) }
    const { seen } = await send(PATH + query, {}, provider)
    expect(await seen()).toMatchObject([{ url: `/v1/models${sent}` }])
  })

  it('sends no password of the URL', async () => {
    const { key, seen } = await send(PATH.replace('//', '//user:password@'))
    expect(await seen()).toMatchObject([
      { url: '/v1/models', headers: { authorization: `Bearer ${key}` } },
    ])
  })

  it('streams the first event before the last one is sent', async () => {
    const { response } = await send(`${PROVIDER}/v1/chat/completions`, {
      method: 'POST',
      body: '{}',
    })
    expect(response.headers.get('Content-Type')).toBe('text/event-stream')
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
    const first = await reader?.read()
    expect(first?.value).toContain('first')
    expect(first?.value).not.toContain('last')
    await fetch(`${PROVIDER}/release`, { method: 'POST' })
    let rest = ''
    for (let chunk = await reader?.read(); chunk?.value; chunk = await reader?.read())
      rest += chunk.value
    expect(rest).toContain('last')
    expect(rest).toContain('[DONE]')
  })

  it('returns no header that holds the key, and returns the body unchanged', async () => {
    const { key, response } = await send(`${PROVIDER}/echo`)
    expect(JSON.stringify([...response.headers])).not.toContain(key)
    expect(response.headers.get('X-B')).toBeNull()
    expect(response.statusText).not.toContain(key)
    expect(response.headers.get('X-Other')).toBe('kept')
    expect(await response.text()).toBe('echo')
  })

  it('returns a redirect, and does not follow it', async () => {
    const { response, seen } = await send(`${PROVIDER}/redirect`)
    expect(response.status).toBe(307)
    expect(await seen()).toHaveLength(1)
  })

  it('throws if the provider cannot be reached', async () => {
    await expect(send('http://127.0.0.1:9/v1')).rejects.toThrow('Network connection lost')
  })
})

describe('the trial of a key', () => {
  it.for<[kind: string, verdict: string, reason: string]>([
    ['good', 'accepted', 'HTTP 200'],
    ['bad', 'refused', 'HTTP 401'],
    ['torn', 'refused', 'HTTP 401'],
    ['scope', 'unknown', 'HTTP 401'],
    ['region', 'unknown', 'HTTP 403'],
    ['busy', 'unknown', 'HTTP 429'],
    ['down', 'unknown', 'HTTP 500'],
    ['moved', 'unknown', 'HTTP 307'],
  ])('the provider’s answer to a %s key means %s', async ([kind, verdict, reason]) => {
    const apiKey = someKeyOf(kind)
    expect(await tryKey(openai, { apiKey, baseUrl: null })).toEqual({ verdict, reason })
    expect(await seenByProvider(apiKey)).toMatchObject([{ method: 'GET', url: '/v1/models' }])
  })

  it('tries a key at its base URL', async () => {
    const apiKey = someKeyOf('good')
    const tried = await tryKey(hosted, { apiKey, baseUrl: `${PROVIDER}/own` })
    expect(tried.verdict).toBe('accepted')
    expect(await seenByProvider(apiKey)).toMatchObject([{ url: '/own/models' }])
  })

  it.for<[name: string, provider: Provider, reason: string]>([
    ['a provider without a probe', { ...openai, probe: undefined }, 'no probe'],
    ['a key without its base URL', hosted, 'no base URL'],
    ['a provider that is down', { ...openai, origin: 'http://127.0.0.1:9' }, 'Error'],
  ])('the trial of %s is not known, and says why', async ([, provider, reason]) => {
    const apiKey = someKeyOf('good')
    const tried = await tryKey(provider, { apiKey, baseUrl: null })
    expect(tried).toEqual({ verdict: 'unknown', reason })
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it('a trial ends after 5 s', async () => {
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.timeout(0))
    const tried = await tryKey(openai, { apiKey: someKeyOf('hang'), baseUrl: null })
    expect(tried).toEqual({ verdict: 'unknown', reason: 'TimeoutError' })
    expect(timeout).toHaveBeenCalledWith(5_000)
  })
})

describe('a refusal', () => {
  const field = 'error.code'
  const value = 'invalid_api_key'
  const body = '{"error": {"code": "invalid_api_key"}}'

  it.for<[name: string, refusals: Provider['refusals'], status: number, refused: boolean]>([
    ['no refusals', [], 401, false],
    ['its status', [{ status: 401 }], 401, true],
    ['another status', [{ status: 401 }], 403, false],
    ['its value', [{ status: 401, field, value }], 401, true],
    ['another value', [{ status: 401, field, value: 'bad' }], 401, false],
  ])('an answer with %s is a refusal or not', async ([, refusals, status, refused]) => {
    const response = new Response(body, { status })
    expect(await isRefusal({ refusals }, response)).toBe(refused)
    expect(await response.text()).toBe(body)
  })

  it.for<[title: string, start: string, refused: boolean, ms: number]>([
    ['up to 16,384 bytes', 'x'.repeat(16_385), false, 0],
    ['for 5 s', 'x', false, 5_000],
    ['for 5 s after a refusal', body, true, 5_000],
  ])('reads an answer that never ends %s, and lets go of it', async ([, start, refused, ms]) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const cancel = vi.fn<() => void>()
    const endless = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(start)),
      cancel,
    })
    const response = new Response(endless, { status: 401 })
    const result = isRefusal({ refusals: [{ status: 401, field, value }] }, response)
    await vi.advanceTimersByTimeAsync(ms)
    expect(await result).toBe(refused)
    expect(vi.getTimerCount()).toBe(0)
    await response.body?.cancel()
    expect(cancel).toHaveBeenCalledOnce()
  })
})

describe('a successful answer to the probe', () => {
  const key = { apiKey: 'sk-Proj-0123456789', baseUrl: null }

  it.for<[name: string, body: string, verdict: string]>([
    ['that the key is turned off', '{"disabled": true}', 'refused'],
    ['that the key is not turned off', '{"disabled": false}', 'accepted'],
    ['nothing', '', 'accepted'],
    ['too much', `{"disabled": true}${' '.repeat(20_000)}`, 'accepted'],
  ])('says %s', async ([, body, verdict]) => {
    vi.spyOn(globalThis, 'fetch').mockResolvedValueOnce(new Response(body))
    expect(await tryKey(openai, key)).toEqual({ verdict, reason: 'HTTP 200' })
  })
})
