import { describe, expect, it } from 'vitest'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { relayBody, relayUrls } from '../../src/relay/answer-body.ts'

const BASE = 'https://api.acme.test'
const ROOT = 'https://vault.test/relay/acme'
const PROVIDER = {
  label: 'Acme',
  origin: BASE,
  header: 'Authorization',
  refusals: [],
  url_fields: { '/v1/batches': ['results_url', 'data.results_url'], '/v2': ['urls'] },
}
const URL_HERE = `${BASE}/v1/batches/1/results`
const URL_THERE = `${ROOT}/v1/batches/1/results`
const JSON_TYPE = { 'Content-Type': 'application/json' }
const MIB = 1024 * 1024

const passageOf = (path: string) => ({ base: BASE, target: BASE + path, root: ROOT })

interface Answered {
  path?: string
  status?: number
  headers?: Record<string, string>
}

/** The answer that a client gets to `body`. */
async function relayed(
  body: BodyInit | null,
  { path = '/v1/batches/1', status = 200, headers = {} }: Answered = {},
): Promise<Response> {
  const answer = new Response(body, { status, headers: { ...JSON_TYPE, ...headers } })
  return relayBody(answer, PROVIDER, passageOf(path))
}

/** A body that is sent in parts, the last of which may be an error. */
function bodyOf(...parts: (string | Uint8Array | Error)[]): ReadableStream<Uint8Array> {
  const sent = parts.values()
  return new ReadableStream({
    pull(controller) {
      const { value, done } = sent.next()
      if (done === true) controller.close()
      else if (value instanceof Error) controller.error(value)
      else controller.enqueue(typeof value === 'string' ? new TextEncoder().encode(value) : value)
    },
  })
}

describe('the URLs in JSON', () => {
  const FIELDS = ['url', 'data.url', 'data.links.next', 'all']
  const rewritten = (json: string) => relayUrls(json, FIELDS, passageOf('/'))
  const [here, there] = [`"${BASE}/a"`, `"${ROOT}/a"`]

  it.for<[name: string, json: string, expected: string]>([
    ['a field', `{"url": ${here}}`, `{"url": ${there}}`],
    ['an escaped URL', `{"url": ${here.replaceAll('/', '\\/')}}`, `{"url": ${there}}`],
    ['an escaped name', `{"u\\u0072l": ${here}}`, `{"u\\u0072l": ${there}}`],
    [
      'a field of each in a list',
      `{"data":[{"url":${here}},7,{"url":${here}}]}`,
      `{"data":[{"url":${there}},7,{"url":${there}}]}`,
    ],
    [
      'a field of a field',
      `{"data":{"links":{"next":${here}}}}`,
      `{"data":{"links":{"next":${there}}}}`,
    ],
    ['a list of URLs', `{"all":[${here},[${here}],null]}`, `{"all":[${there},[${there}],null]}`],
    ['a list at the top', `[{"url":${here}}]`, `[{"url":${there}}]`],
    [
      'a field after an object',
      `{"x":{"y":{}},"url" : ${here}}`,
      `{"x":{"y":{}},"url" : ${there}}`,
    ],
    ['what is given twice', `{"url":${here},"url":${here}}`, `{"url":${there},"url":${there}}`],
  ])('replaces %s', ([, json, expected]) => {
    expect(rewritten(json)).toBe(expected)
  })

  it.for<[name: string, json: string]>([
    ['another field', `{"uri": ${here}, "a": {"url": ${here}}}`],
    ['a field with a longer path', `{"url": {"url": ${here}}}`],
    ['a part of a path', `{"data": ${here}}`],
    ['a field with a shorter path', `{"links": {"next": ${here}}}`],
    ['a URL that leads elsewhere', '{"url": "https:\\/\\/evil.test\\/"}'],
    ['a relative URL', '{"url": "/a"}'],
    ['a field in a text', JSON.stringify({ text: `{"url": ${here}}` })],
    ['a name', `{${here}: "url"}`],
    ['a field that is not text', '{"url": 12345678901234567890, "all": [null, true]}'],
    ['white space and numbers', '\uFEFF [ 1.0 , 1e400 , 9007199254740993 ]\r\n'],
  ])('keeps %s', ([, json]) => {
    expect(rewritten(json)).toBe(json)
  })

  it('keeps every other byte, and numbers that JavaScript cannot hold', () => {
    const rest = ', "id": 9007199254740993.10 ,\n"s": "\\u00e9\\/\u2028",  "n": -0}'
    expect(rewritten(`{"url":${here}${rest}`)).toBe(`{"url":${there}${rest}`)
  })

  it('reads deep and long JSON in little time', () => {
    const deep = '{"data":'.repeat(100_000) + here + '}'.repeat(100_000)
    expect(rewritten(deep)).toBe(deep)
    const long = JSON.stringify({ url: '"\\'.repeat(200_000) })
    expect(rewritten(long)).toBe(long)
  }, 10_000)
})

describe('a relayed body', () => {
  it('replaces the URLs of the provider, and drops what is true of its bytes alone', async () => {
    const body = JSON.stringify({ id: 1, results_url: URL_HERE })
    const dropped = ['Accept-Ranges', 'Content-Length', 'ETag']
    const given = Object.fromEntries(dropped.map((name) => [name, String(body.length)]))
    const answer = await relayed(body, { status: 201, headers: { ...given, 'X-Own': 'kept' } })
    expect(answer.status).toBe(201)
    expect(await answer.json()).toEqual({ id: 1, results_url: URL_THERE })
    expect(Object.fromEntries(answer.headers)).toEqual({
      'content-type': 'application/json',
      'x-own': 'kept',
    })
  })

  it.for<[path: string, body: object, isReplaced: boolean]>([
    ['/v1/batches', { data: [{ results_url: URL_HERE }] }, true],
    ['/v1/batches?limit=2', { data: [{ results_url: URL_HERE }] }, true],
    ['/v1/batches/1/cancel', { results_url: URL_HERE }, true],
    ['/v2/x', { urls: [URL_HERE] }, true],
    ['/v1/%62atches/1', { results_url: URL_HERE }, true],
    ['//v1//batches/1', { results_url: URL_HERE }, true],
    ['/v1%2fbatches', { results_url: URL_HERE }, false],
    ['/v1/batches2', { results_url: URL_HERE }, false],
    ['/v1', { results_url: URL_HERE }, false],
    ['/v1/batches', { urls: [URL_HERE] }, false],
  ])('an answer to %s has its own fields', async ([path, body, isReplaced]) => {
    const text = await (await relayed(JSON.stringify(body), { path })).text()
    expect(text.includes(URL_THERE)).toBe(isReplaced)
    expect(text.includes(URL_HERE)).toBe(!isReplaced)
  })

  it.for([
    'application/json',
    'application/json; charset=utf-8',
    'application/problem+json',
    'Application/JSON',
    'application/json, application/json',
    'text/json',
  ])('reads %s', async (type) => {
    const answer = await relayed(JSON.stringify({ results_url: URL_HERE }), {
      headers: { 'Content-Type': type },
    })
    expect(await answer.text()).toContain(URL_THERE)
  })

  it.for(['application/x-jsonl', 'application/json-seq', 'text/event-stream', 'text/plain', ''])(
    'does not read %j',
    async (type) => {
      const body = bodyOf(JSON.stringify({ results_url: URL_HERE }))
      const answer = new Response(body, { headers: { 'Content-Type': type } })
      expect(await relayBody(answer, PROVIDER, passageOf('/v1/batches'))).toBe(answer)
      expect(await answer.text()).toContain(URL_HERE)
    },
  )

  it('does not read an answer without fields, a part of one, or one without a body', async () => {
    for (const [path, status, body] of [
      ['/v1/chat', 200, '{}'],
      ['/v1/batches', 206, '{}'],
      ['/v1/batches', 204, null],
    ] as const) {
      const answer = new Response(body, { status, headers: JSON_TYPE })
      // oxlint-disable-next-line no-await-in-loop -- a table
      expect(await relayBody(answer, PROVIDER, passageOf(path))).toBe(answer)
    }
  })

  it('does not read an answer that says that it is longer than 1 MiB', async () => {
    const headers = { ...JSON_TYPE, 'Content-Length': String(MIB + 1) }
    const answer = new Response(bodyOf('{}'), { headers })
    expect(await relayBody(answer, PROVIDER, passageOf('/v1/batches'))).toBe(answer)
  })

  it.for<[length: number, isReplaced: boolean]>([
    [MIB, true],
    [MIB + 1, false],
    [3 * MIB, false],
  ])('an answer of %d bytes has its URLs replaced: %s', async ([length, isReplaced]) => {
    const start = `{"results_url": "${URL_HERE}", "x": "`
    const filling = 'x'.repeat(length - start.length - 2)
    const body = bodyOf(start, filling.slice(0, 1_000), filling.slice(1_000), '"}')
    const text = await (await relayed(body)).text()
    const expected = isReplaced ? start.replace(URL_HERE, URL_THERE) : start
    expect(text === `${expected}${filling}"}`).toBe(true)
  })

  it('replaces a URL that comes in two parts, between characters of several bytes', async () => {
    const bytes = new TextEncoder().encode(`{"é": "漢", "results_url": "${URL_HERE}"}`)
    const answer = await relayed(bodyOf(bytes.slice(0, 3), bytes.slice(3, 9), bytes.slice(9)))
    expect(await answer.text()).toBe(`{"é": "漢", "results_url": "${URL_THERE}"}`)
  })

  it.for<[name: string, ...parts: (string | Uint8Array)[]]>([
    ['no JSON', `{"results_url": "${URL_HERE}"`],
    ['JSON lines', `{"results_url": "${URL_HERE}"}\n{}`],
    ['broken UTF-8', '{"x": "', Uint8Array.of(0xc3, 0x28), '"}'],
    ['JSON after a byte order mark', Uint8Array.of(0xef, 0xbb, 0xbf), '{}'],
    ['nothing'],
  ])('passes a body as it is that is %s', async ([, ...parts]) => {
    const answer = await relayed(bodyOf(...parts), { headers: { ETag: '"1"' } })
    const sent = await new Response(bodyOf(...parts)).arrayBuffer()
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(new Uint8Array(sent))
    expect(answer.headers.get('ETag')).toBe('"1"')
  })

  it.for<[name: string, ...parts: (string | Uint8Array)[]]>([
    ['begins with a byte order mark', Uint8Array.of(0xef, 0xbb, 0xbf), '{'],
    ['holds broken UTF-8', '{"x": "', Uint8Array.of(0xc3, 0x28), '", '],
  ])('replaces the URLs in JSON that %s, since clients read it', async ([, ...parts]) => {
    const answer = await relayed(bodyOf(...parts, `"results_url": "${URL_HERE}"}`))
    expect(await answer.json()).toMatchObject({ results_url: URL_THERE })
  })

  it('breaks off if the body does', async () => {
    const answer = await relayed(bodyOf('{"a":', new Error('torn')))
    await expect(answer.text()).rejects.toThrow('torn')
  })
})

it.for<[provider: string, path: string, body: (url: string) => object]>([
  ['anthropic', '/v1/messages/batches/1', (url) => ({ results_url: url })],
  ['anthropic', '/v1/messages/batches?beta=true', (url) => ({ data: [{ results_url: url }] })],
  ['openrouter', '/api/v1/videos/1', (url) => ({ polling_url: url, unsigned_urls: [url] })],
  [
    'replicate',
    '/v1/predictions',
    (url) => ({ next: url, results: [{ urls: { get: url, cancel: url } }] }),
  ],
  ['replicate', '/v1/models/a/b/predictions', (url) => ({ urls: { get: url, cancel: url } })],
  ['replicate', '/v1/collections', (url) => ({ previous: url })],
])('the client of %s requests its URLs through the relay: %s', async ([name, path, body]) => {
  const provider = BUILT_IN[name]
  const { origin: base = '' } = provider ?? {}
  if (provider === undefined) throw new Error(name)
  const answer = Response.json(body(`${base}/v1/next`))
  const passage = { base, target: base + path, root: ROOT }
  expect(await (await relayBody(answer, provider, passage)).json()).toEqual(body(`${ROOT}/v1/next`))
})

it.for<[provider: string, path: string, body: object]>([
  [
    'gemini',
    '/v1beta/files/1',
    { uri: 'https://generativelanguage.googleapis.com/v1beta/files/1' },
  ],
  ['replicate', '/v1/files', { urls: { get: 'https://api.replicate.com/v1/files/1' } }],
])('a URL that goes back to %s stays as it is: %s', async ([name, path, body]) => {
  const provider = BUILT_IN[name]
  const { origin: base = '' } = provider ?? {}
  if (provider === undefined) throw new Error(name)
  const passage = { base, target: base + path, root: ROOT }
  expect(await (await relayBody(Response.json(body), provider, passage)).json()).toEqual(body)
})
