import { describe, expect, it, vi } from 'vitest'
import { atPath, type Provider } from '../../src/providers/provider.ts'
import { fetchWithKey, tryKey, type Finding } from '../../src/providers/request.ts'
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
    { status: 401, field: 'error.message', value: 'Incorrect API key provided: *' },
    { status: 401, field: 'error.code', value: 'invalid_api_key' },
    { status: 401, field: 'error.code', value: 'leaked', reason: 'leaked' },
    { status: 200, field: 'disabled', value: true },
  ],
  exhausted: [{ status: 402, field: 'error.code', value: 'no_credit' }],
}
const { origin: _, ...withoutOrigin } = openai
const hosted: Provider = { ...withoutOrigin, hosts: [new URL(PROVIDER).host], probe: '/models' }

const UNKNOWN: Finding = { rejection: 'unknown' }

const someKeyOf = (kind: string) => `sk-${kind}-${crypto.randomUUID()}`

/** Sends a request with a key that the provider accepts. */
async function send(url: string, init: RequestInit = {}, provider = openai) {
  const key = someKeyOf('good')
  const answer = await fetchWithKey(provider, key, new Request(url, init))
  return { key, ...answer, seen: async () => seenByProvider(key) }
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
    expect(await tryKey(openai, { apiKey, baseUrl: null })).toMatchObject({ verdict, reason })
    expect(await seenByProvider(apiKey)).toMatchObject([{ method: 'GET', url: '/v1/models' }])
  })

  it.for(['/models', '/../models', '/v1/%2E%2e/models', `${PROVIDER}/models`])(
    'tries a key at its base URL with the path of the probe %s',
    async (probe) => {
      const apiKey = someKeyOf('good')
      const tried = await tryKey({ ...hosted, probe }, { apiKey, baseUrl: `${PROVIDER}/own` })
      expect(tried.verdict).toBe('accepted')
      expect(await seenByProvider(apiKey)).toMatchObject([{ url: '/own/models' }])
    },
  )

  it.for<[name: string, provider: Provider, reason: string]>([
    ['a provider without a probe', { ...openai, probe: undefined }, 'no probe'],
    ['a key without its base URL', hosted, 'no base URL'],
    ['such a key, with a probe that is a URL', { ...hosted, probe: PATH }, 'no base URL'],
    ['a provider that is down', { ...openai, origin: 'http://127.0.0.1:9' }, 'Error'],
  ])('the trial of %s is not known, and says why', async ([, provider, reason]) => {
    const apiKey = someKeyOf('good')
    const tried = await tryKey(provider, { apiKey, baseUrl: null })
    expect(tried).toMatchObject({ verdict: 'unknown', reason })
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it('a trial ends after 5 s', async () => {
    const timeout = vi.spyOn(AbortSignal, 'timeout').mockReturnValue(AbortSignal.timeout(0))
    const tried = await tryKey(openai, { apiKey: someKeyOf('hang'), baseUrl: null })
    expect(tried).toMatchObject({ verdict: 'unknown', reason: 'TimeoutError' })
    expect(timeout).toHaveBeenCalledWith(5_000)
  })
})

/** Lets the provider answer the next request with `body`. */
function answerWith(body: BodyInit | null, init: ResponseInit): void {
  vi.spyOn(globalThis, 'fetch').mockResolvedValueOnce(new Response(body, init))
}

describe('an error', () => {
  const KEY = 'sk-Proj-0123456789'
  const ERROR = `{"error": "Consumer 'api_key:${KEY}' has been suspended"}`
  const HIDDEN = `{"error": "Consumer 'api_key:sk-Proj-...' has been suspended"}`
  const use = async () => fetchWithKey(openai, KEY, new Request(PATH))

  it.for([400, 403, 404, 429, 500, 599])(
    'shows the preview in the place of the key after a %i',
    async (status) => {
      answerWith(ERROR, { status, headers: { 'X-Request-Id': '7' } })
      const { response } = await use()
      expect([response.status, await response.text()]).toEqual([status, HIDDEN])
      expect(response.headers.get('X-Request-Id')).toBe('7')
    },
  )

  it('drops the headers that describe the bytes of an error as they came', async () => {
    const of = ['Content-Length', 'ETag', 'Digest', 'Content-Digest', 'Repr-Digest', 'Content-MD5']
    const headers = Object.fromEntries(
      [...of, 'Signature', 'Content-Range'].map((name) => [name, '1']),
    )
    answerWith(ERROR, { status: 416, headers })
    const { response } = await use()
    expect([...response.headers.keys()]).toEqual(['content-range', 'content-type'])
  })

  it.for<[name: string, status: number, type: string]>([
    ['a success', 200, 'application/json'],
    ['a redirect', 307, 'application/json'],
    ['an image', 404, 'image/png'],
  ])('leaves the body of %s as it comes', async ([, status, type]) => {
    const pull = vi.fn<(controller: ReadableStreamDefaultController) => void>((controller) =>
      controller.enqueue(new TextEncoder().encode(KEY)),
    )
    const body = new ReadableStream({ pull }, { highWaterMark: 0 })
    answerWith(body, { status, headers: { 'Content-Type': type, ETag: '"1"' } })
    const { response } = await use()
    expect([pull.mock.calls.length, response.headers.get('ETag')]).toEqual([0, '"1"'])
    const first = await response.body?.getReader().read()
    expect(new TextDecoder().decode(first?.value)).toBe(KEY)
  })

  it('an error after a HEAD keeps its headers', async () => {
    answerWith(null, { status: 404, headers: { 'Content-Length': '9' } })
    const { response } = await use()
    expect([response.body, response.headers.get('Content-Length')]).toEqual([null, '9'])
  })

  it.for<[name: string, finding: Finding, status: number, body: string]>([
    ['rejects the key', UNKNOWN, 401, '{"error": {"message": "Incorrect API key provided: s*k"}}'],
    ['says why it rejects the key', { rejection: 'leaked' }, 401, '{"error": {"code": "leaked"}}'],
    ['says that there is no credit', 'exhausted', 402, '{"error": {"code": "no_credit"}}'],
    [
      'repeats a rejection',
      null,
      401,
      '{"error": {"message": "Not: Incorrect API key provided: s"}}',
    ],
    ['has another status', null, 403, '{"error": {"message": "Incorrect API key provided: s*k"}}'],
    ['is not JSON', null, 401, 'Incorrect API key provided: s*k'],
    ['is a success', null, 200, '{"disabled": true}'],
  ])('a use finds in an answer that %s: %j', async ([, finding, status, body]) => {
    answerWith(body, { status })
    const answer = await use()
    expect(answer.finding).toEqual(finding)
    expect(await answer.response.text()).toBe(body)
  })

  it('an answer whose status alone is a refusal is one, though its body is not read', async () => {
    answerWith('x', { status: 401, headers: { 'Content-Type': 'image/png' } })
    const provider = { ...openai, refusals: [{ status: 401 }] }
    const answer = await fetchWithKey(provider, KEY, new Request(PATH))
    expect(answer.finding).toEqual(UNKNOWN)
  })

  it.for<[what: string, finding: Finding, body: string]>([
    ['that there is no credit', 'exhausted', '{"error": {"code": "no_credit"}}'],
    ['why it rejects the key', { rejection: 'leaked' }, '{"error": {"code": "leaked"}}'],
    ['nothing more', UNKNOWN, '{"error": {"code": "bad"}}'],
  ])('an answer says %s, though its status alone is a refusal', async ([, finding, body]) => {
    answerWith(body, { status: 401 })
    const coded = { status: 401, field: 'error.code' }
    const provider: Provider = {
      ...openai,
      refusals: [{ status: 401 }, { ...coded, value: 'leaked', reason: 'leaked' }],
      exhausted: [{ ...coded, value: 'no_credit' }],
    }
    const answer = await fetchWithKey(provider, KEY, new Request(PATH))
    expect(answer.finding).toEqual(finding)
  })
})

describe('a successful answer to the probe', () => {
  const key = { apiKey: 'sk-Proj-0123456789', baseUrl: null }

  it.for<[name: string, body: string, verdict: string]>([
    ['that the key is turned off', '{"disabled": true}', 'refused'],
    ['that the key is not turned off', '{"disabled": false}', 'accepted'],
    ['nothing', '', 'accepted'],
    ['too much', `{"disabled": false}${' '.repeat(20_000)}`, 'unknown'],
  ])('a successful probe may say %s', async ([, body, verdict]) => {
    answerWith(body, { status: 200 })
    expect(await tryKey(openai, key)).toMatchObject({ verdict, reason: 'HTTP 200' })
  })

  it.for<
    [
      name: string,
      showsCredit: boolean,
      status: number,
      body: string,
      verdict: string,
      has: unknown,
    ]
  >([
    ['that there is credit', true, 200, '{"isAvailable": true}', 'accepted', true],
    ['that there is none', true, 200, '{"isAvailable": false}', 'accepted', false],
    ['by its status that there is none', true, 402, '{"isAvailable": false}', 'accepted', false],
    ['that the key is turned off', true, 200, '{"disabled": true}', 'refused', null],
    ['nothing, if it fails', true, 500, '{}', 'unknown', null],
    ['nothing, if a success is a page', true, 200, '<title>Sign in</title>', 'unknown', null],
    ['nothing, if a success is empty', true, 200, '', 'unknown', null],
    ['nothing of credit, if it does not show it', false, 200, '{}', 'accepted', null],
    [
      'nothing by a lack of credit, if it does not show credit',
      false,
      402,
      '{"isAvailable": false}',
      'unknown',
      null,
    ],
  ])('a probe may say %s', async ([, probe_shows_credit, status, body, verdict, hasCredit]) => {
    const exhausted = [200, 402].map((one) => ({ status: one, field: 'isAvailable', value: false }))
    answerWith(body, { status })
    const trial = await tryKey({ ...openai, probe_shows_credit, exhausted }, key)
    expect(trial).toMatchObject({ verdict, hasCredit })
  })

  it('a successful probe is not read if its provider says nothing with it', async () => {
    const cancel = vi.fn<() => void>()
    const pull = vi.fn<() => void>()
    answerWith(new ReadableStream({ pull, cancel }, { highWaterMark: 0 }), { status: 200 })
    const { verdict } = await tryKey({ ...openai, refusals: [{ status: 401 }] }, key)
    expect([verdict, pull.mock.calls.length, cancel.mock.calls.length]).toEqual(['accepted', 0, 1])
  })
})

it.for<[path: string, headers: Record<string, string>]>([
  ['/v1/models', { 'x-acme-key': 'KEY' }],
  ['/v1/openai/models', { authorization: 'Bearer KEY' }],
  ['/v1/%6Fpenai/models', { authorization: 'Bearer KEY' }],
  ['/v1//openai/models', { 'x-acme-key': 'KEY' }],
])('sends the key alone, in the header of the path %s', async ([path, expected]) => {
  const paths = [{ prefix: '/v1/openai/', header: 'Authorization', scheme: 'Bearer' }]
  const { scheme: _scheme, ...acme } = { ...openai, header: 'x-acme-key', paths }
  const headers = { Authorization: 'Bearer mine', 'x-acme-key': 'mine' }
  const { key, seen } = await send(
    PROVIDER + path,
    { headers },
    atPath(acme, new URL(PROVIDER + path).pathname),
  )
  const [sent] = await seen()
  const keys = Object.entries(sent?.headers ?? {}).filter(([name]) =>
    ['authorization', 'x-acme-key'].includes(name),
  )
  expect(
    Object.fromEntries(keys.map(([name, value]) => [name, String(value).replace(key, 'KEY')])),
  ).toEqual(expected)
})

it('a probe has the key in the header of all other paths', async () => {
  const paths = [{ prefix: '/v1/openai/', header: 'x-other-key' }]
  const key = someKeyOf('good')
  const trial = await tryKey({ ...openai, paths }, { apiKey: key, baseUrl: null })
  expect(trial.verdict).toBe('accepted')
  const [sent] = await seenByProvider(key)
  expect(sent?.headers).toMatchObject({ authorization: `Bearer ${key}` })
})
