import { beforeAll, describe, expect, it } from 'vitest'
import { env } from '../isolate.ts'
import {
  app,
  call,
  keyPath,
  mintToken,
  putKey,
  someKey,
  someUser,
  storedKey,
  URL_BASE,
} from '../support.ts'

const KEPT = someKey()
let userId: string
let token: string

beforeAll(async () => {
  userId = await someUser()
  token = await mintToken({ sub: userId })
  await putKey(userId, KEPT)
})

/** Sends a body that must be refused. The previous key must be kept. */
async function refused(body: string | undefined, headers = {}): Promise<Record<string, unknown>> {
  const response = await call('PUT', keyPath(userId), { token, body, headers })
  const text = await response.text()
  expect(response.headers.get('Content-Type')).toBe('application/json')
  expect(await storedKey(userId)).toBe(KEPT)
  return { status: response.status, ...JSON.parse(text) }
}

describe('a body without api_key', () => {
  it.for<[name: string, body: string | undefined, detail: string]>([
    ['no body', undefined, 'The body is empty.'],
    ['an empty body', '', 'The body is empty.'],
    ['an empty object', '{}', 'The body is {}.'],
    ['null', 'null', 'The body is null.'],
    ['an array', '[{"api_key":"sk-1"}]', 'The body is an array.'],
    ['a number', '7', 'The body is a number.'],
    ['a string, stringified twice', '"{\\"api_key\\":\\"sk-1\\"}"', 'The body is a string.'],
    ['another field', '{"apiKey":"sk-1"}', 'Fields received: "apiKey".'],
    ['other fields', '{"key":"sk-1","user":1}', 'Fields received: "key", "user".'],
    ['another case', '{"API_KEY":"sk-1"}', 'Fields received: "API_KEY".'],
    ['a nested field', '{"data":{"api_key":"sk-1"}}', 'Fields received: "data".'],
    ['an inherited name', '{"__proto__":{"api_key":"sk-1"}}', 'Fields received: "__proto__".'],
  ])('is refused with what it holds: %s', async ([, body, came]) => {
    expect(await refused(body)).toEqual({
      status: 400,
      error: 'API key is required in request body',
      code: 'api_key_missing',
      detail: `${came} Send {"api_key": "…"}.`,
      request_id: expect.any(String),
    })
  })

  it.for(['application/json', 'text/plain', ''])(
    'is reported as empty with the Content-Type %j',
    async (type) => {
      expect(await refused('', { 'Content-Type': type })).toMatchObject({
        code: 'api_key_missing',
        detail: 'The body is empty. Send {"api_key": "…"}.',
      })
    },
  )

  it('is refused with at most ten field names, without names that may be keys', async () => {
    const key = someKey()
    expect(
      await refused(JSON.stringify({ [key]: '', 'sk-ant-letters': '', name: '' })),
    ).toMatchObject({
      detail: 'Fields received: "name", 2 more. Send {"api_key": "…"}.',
    })
    const fields = Object.fromEntries('abcdefghijkl'.split('').map((name) => [name, 1]))
    expect((await refused(JSON.stringify(fields)))['detail']).toContain('"j", 2 more.')
  })
})

describe('a body that is not JSON', () => {
  it.for([
    '{"api_key": sk-secret}',
    "{'api_key': 'sk-secret'}",
    '{"api_key":"sk-secret"',
    'api_key=sk-secret',
    'sk-secret',
    ' \n',
    '{"api_key":"sk-secret"}}',
  ])('is refused without being quoted: %s', async (body) => {
    const answer = await refused(body)
    expect(answer).toMatchObject({
      status: 400,
      error: 'Request body must be valid JSON',
      code: 'invalid_json',
      detail: 'The body is not JSON: check its quotes, commas and braces.',
    })
    expect(JSON.stringify(answer)).not.toContain('secret')
  })

  it('is recognized as an object that was not stringified', async () => {
    expect(await refused('[object Object]')).toMatchObject({
      code: 'invalid_json',
      detail: expect.stringContaining('JSON.stringify'),
    })
  })
})

describe('Content-Type', () => {
  it.for([
    ['text/plain;charset=UTF-8', 'The Content-Type is text/plain; send'],
    ['application/x-www-form-urlencoded', 'The Content-Type is application/x-www-form-urlencoded;'],
    ['multipart/form-data; boundary=sk-secret', 'The Content-Type is multipart/form-data;'],
    ['application/jsonp', 'The Content-Type is application/jsonp;'],
    ['sk-secret', 'The Content-Type is not supported;'],
    ['text/sk-secret', 'The Content-Type is not supported;'],
    ['text/secret1', 'The Content-Type is not supported;'],
    ['', 'The Content-Type is missing;'],
  ] as const)('%s: is named and refused', async ([contentType, detail]) => {
    const answer = await refused('{"api_key":"sk-1"}', { 'Content-Type': contentType })
    expect(answer).toMatchObject({
      status: 400,
      error: 'Request body must be valid JSON',
      code: 'content_type_not_json',
      detail: expect.stringContaining(detail),
    })
    expect(JSON.stringify(answer)).not.toContain('secret')
  })

  it.for(['application/json', 'Application/JSON; charset=utf-8', 'application/vnd.api+json'])(
    'is accepted as JSON: %s',
    async (contentType) => {
      const someone = await someUser()
      const headers = { 'Content-Type': contentType }
      expect((await putKey(someone, 'sk-1', { headers })).status).toBe(200)
    },
  )
})

describe('an api_key that cannot be one', () => {
  it.for<[value: unknown, detail: string]>([
    [null, 'api_key is null, not a string.'],
    [42, 'api_key is a number, not a string.'],
    [true, 'api_key is a boolean, not a string.'],
    [['sk-1'], 'api_key is an array, not a string.'],
    [{ key: 'sk-1' }, 'api_key is an object, not a string.'],
    ['', 'api_key is empty.'],
    [' \t\r\n\u00A0\uFEFF', 'api_key is empty.'],
    ['k'.repeat(8_193), 'api_key is over 8,192 characters.'],
    ['sk-proj-...', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-abc...wxyz', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-abc…', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['****', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-****abcd', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-●●●●', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-⋯', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-∙∙∙', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-···', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['••••••••', 'api_key is a masked preview, not the key itself: paste the whole key.'],
    ['sk-abc def', 'api_key has white space inside, at character 7.'],
    ['sk-abc\ndef', 'api_key has white space inside, at character 7.'],
    ['sk-abc\u00A0def', 'api_key has white space inside, at character 7.'],
    ['  sk-abc def ', 'api_key has white space inside, at character 7.'],
    [
      'sk-\u0000abc',
      'api_key has a character that no key has (not printable ASCII), at character 4.',
    ],
    [
      'sk-\u001Babc',
      'api_key has a character that no key has (not printable ASCII), at character 4.',
    ],
    [
      'sk-\u007Fabc',
      'api_key has a character that no key has (not printable ASCII), at character 4.',
    ],
    ['sk-\u200Babc', 'api_key comes with invisible characters: send the key alone.'],
    ['"sk-abc"', 'api_key comes with quotes: send the key alone.'],
    [
      'sk-\uD800abc',
      'api_key has a character that no key has (not printable ASCII), at character 4.',
    ],
    ['sk-abc😀', 'api_key has a character that no key has (not printable ASCII), at character 7.'],
    ['sk-äbc', 'api_key has a character that no key has (not printable ASCII), at character 4.'],
    ['ѕk-abc', 'api_key has a character that no key has (not printable ASCII), at character 1.'],
  ])('is refused with the rule that it breaks: %j', async ([value, detail]) => {
    expect(await refused(JSON.stringify({ api_key: value }))).toEqual({
      status: 400,
      error: 'Valid API key string is required',
      code: 'api_key_invalid',
      detail,
      request_id: expect.any(String),
    })
  })
})

describe('the 16 KiB limit', () => {
  /** A valid body of `length` bytes. */
  const bodyOf = (length: number) => '{"api_key":"sk-1"}'.padEnd(length, ' ')

  it('accepts 16,384 bytes and refuses one more', async () => {
    const someone = await someUser()
    const own = { token: await mintToken({ sub: someone }) }
    const body = bodyOf(16_384)
    expect((await call('PUT', keyPath(someone), { ...own, body })).status).toBe(200)
    expect(await refused(bodyOf(16_385))).toEqual({
      status: 413,
      error: 'Request body is too large',
      code: 'body_too_large',
      detail: 'The limit is 16384 bytes.',
      request_id: expect.any(String),
    })
  })

  it('refuses a Content-Length over the limit', async () => {
    expect(await refused(bodyOf(100), { 'Content-Length': '16385' })).toMatchObject({
      code: 'body_too_large',
    })
  })
})

describe('a body with a wrong Content-Length', () => {
  const put = async (body: ReadableStream, headers: Record<string, string>) => {
    const request = new Request(URL_BASE + keyPath(userId), {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers },
      body,
    })
    const response = await app.fetch(request, env)
    return { status: response.status, body: await response.json() }
  }
  const chunk = new TextEncoder().encode(`{"api_key": "${'x'.repeat(8_000)}`)

  it('answers 413 at the limit, and reads no more of it', async () => {
    let pulled = 0
    const endless = new ReadableStream({
      pull(controller) {
        pulled += 1
        controller.enqueue(chunk)
      },
    })
    const answer = await put(endless, { 'Content-Length': '20' })
    expect(answer).toMatchObject({ status: 413, body: { code: 'body_too_large' } })
    expect(pulled).toBeLessThan(6)
  })

  it.for(['0', '-1', '5', '0x10', '1e3', 'abc', '31, 31', ''])(
    'is read whole with a Content-Length of %j, which only a binding lets through',
    async (length) => {
      const someone = await someUser()
      const saved = await putKey(someone, someKey(), { headers: { 'Content-Length': length } })
      expect(saved.status).toBe(200)
    },
  )

  it('is a 400 if it breaks off', async () => {
    const broken = new ReadableStream({
      start(controller) {
        controller.enqueue(chunk)
        controller.error(new Error('reset'))
      },
    })
    expect(await put(broken, {})).toMatchObject({
      status: 400,
      body: { code: 'invalid_json', detail: 'The body is incomplete.' },
    })
  })
})
