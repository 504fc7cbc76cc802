/** The body of a save: what is wrong with it, without a character of the key. */

import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { answerError } from '../../src/http/error-answer.ts'
import { requireKey, requireSlotKey } from '../../src/http/key-body.ts'
import { call, keyPath, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'

/** Answers with the body as the routes get it. */
const app = new Hono()
  .onError(answerError)
  .put('/key', requireKey, (c) => c.json(c.req.valid('json')))
  .put('/slot', requireSlotKey, (c) => c.json(c.req.valid('json')))

async function put(body: string | null, path = '/key', type = 'application/json') {
  const response = await app.request(path, {
    method: 'PUT',
    headers: { 'Content-Type': type },
    body,
  })
  return { status: response.status, body: await response.json() }
}

const putKeyText = async (apiKey: unknown) => put(JSON.stringify({ api_key: apiKey }))

describe('a body without api_key', () => {
  it.for<[name: string, body: string | null, detail: string]>([
    ['no body', null, 'The body is empty.'],
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
  ])('refuses %s instead of api_key, and says so', async ([, body, came]) => {
    expect(await put(body)).toEqual({
      status: 400,
      body: {
        error: 'API key is required in request body',
        code: 'api_key_missing',
        detail: `${came} Send {"api_key": "…"}.`,
      },
    })
  })

  it.for(['application/json', 'text/plain', ''])(
    'reports an empty body as empty with the Content-Type %j',
    async (type) => {
      const detail = 'The body is empty. Send {"api_key": "…"}.'
      expect(await put('', '/key', type)).toMatchObject({ body: { detail } })
    },
  )

  it('names at most ten fields, and none that may be a key', async () => {
    const keys = { [someKey()]: '', 'sk-ant-letters': '', name: '' }
    const detail = 'Fields received: "name", 2 more. Send {"api_key": "…"}.'
    expect(await put(JSON.stringify(keys))).toMatchObject({ body: { detail } })
    const fields = Object.fromEntries(Array.from('abcdefghijkl', (name) => [name, 1]))
    const others: unknown = expect.stringContaining('"j", 2 more.')
    expect(await put(JSON.stringify(fields))).toMatchObject({ body: { detail: others } })
  })
})

describe('an api_key', () => {
  const MASKED = 'a masked preview, not the key itself: paste the whole key.'
  const SPACE = 'white space inside, at character 7.'
  const noKeyHas = (at: number) =>
    `a character that no key has (not printable ASCII), at character ${at}.`

  it.for<[value: unknown, detail: string]>([
    [null, 'is null, not a string.'],
    [42, 'is a number, not a string.'],
    [true, 'is a boolean, not a string.'],
    [['sk-1'], 'is an array, not a string.'],
    [{ key: 'sk-1' }, 'is an object, not a string.'],
    ['', 'is empty.'],
    [' \t\r\n\u00A0\uFEFF', 'is empty.'],
    ['sk-proj-...', `is ${MASKED}`],
    ['sk-abc...wxyz', `is ${MASKED}`],
    ['sk-abc…', `is ${MASKED}`],
    ['****', `is ${MASKED}`],
    ['sk-****abcd', `is ${MASKED}`],
    ['sk-●●●●', `is ${MASKED}`],
    ['sk-⋯', `is ${MASKED}`],
    ['sk-∙∙∙', `is ${MASKED}`],
    ['sk-···', `is ${MASKED}`],
    ['••••••••', `is ${MASKED}`],
    ['sk-abc def', `has ${SPACE}`],
    ['sk-abc\ndef', `has ${SPACE}`],
    ['sk-abc\u00A0def', `has ${SPACE}`],
    ['  sk-abc def ', `has ${SPACE}`],
    ['sk-\u0000abc', `has ${noKeyHas(4)}`],
    ['sk-\u001Babc', `has ${noKeyHas(4)}`],
    ['sk-\u007Fabc', `has ${noKeyHas(4)}`],
    ['sk-\uD800abc', `has ${noKeyHas(4)}`],
    ['sk-abc😀', `has ${noKeyHas(7)}`],
    ['sk-äbc', `has ${noKeyHas(4)}`],
    ['ѕk-abc', `has ${noKeyHas(1)}`],
    ['sk-\u200Babc', 'comes with invisible characters: send the key alone.'],
    ['"sk-abc"', 'comes with quotes: send the key alone.'],
  ])('refuses the api_key %j: it %s', async ([value, detail]) => {
    expect(await putKeyText(value)).toEqual({
      status: 400,
      body: {
        error: 'Valid API key string is required',
        code: 'api_key_invalid',
        detail: `api_key ${detail}`,
      },
    })
  })

  it('accepts 8,192 characters, and refuses one more', async () => {
    const longest = 'k'.repeat(8_192)
    expect(await putKeyText(longest)).toEqual({ status: 200, body: { api_key: longest } })
    const detail = 'api_key is over 8,192 characters.'
    expect(await putKeyText(`${longest}k`)).toMatchObject({ status: 400, body: { detail } })
  })

  it('trims white space around the key, and changes nothing else', async () => {
    const key = 'sk-!"#$%&\'()+,/:;<=>?@[\\]^_`{|}~'
    const { body } = await putKeyText(`\uFEFF \t\r\n\u00A0${key} \n`)
    expect(body).toEqual({ api_key: key })
  })
})

it.for<[field: string, value: unknown, code: string]>([
  ['base_url', 7, 'base_url_invalid'],
  ['expires_at', 'tomorrow', 'expires_at_invalid'],
  ['expires_at', '2020-01-01T00:00:00Z', 'expires_at_invalid'],
])('refuses the %s %j beside a valid key with %s', async ([field, value, code]) => {
  const body = JSON.stringify({ api_key: 'sk-1', [field]: value })
  expect(await put(body, '/slot')).toMatchObject({ status: 400, body: { code } })
})

it('passes a base URL on, and an expiry in UTC', async () => {
  const fields = { api_key: 'sk-1', base_url: 'https://a.test' }
  const body = JSON.stringify({ ...fields, expires_at: '2999-01-01T01:00:00+01:00' })
  const expires_at = '2999-01-01T00:00:00.000Z'
  expect(await put(body, '/slot')).toEqual({ status: 200, body: { ...fields, expires_at } })
  expect(await put(body)).toEqual({ status: 200, body: { api_key: 'sk-1', expires_at } })
})

it.for<[code: string, status: number, error: string, body: string, type?: string]>([
  ['api_key_missing', 400, 'API key is required in request body', '{}'],
  ['api_key_invalid', 400, 'Valid API key string is required', '{"api_key":"sk 1"}'],
  ['invalid_json', 400, 'Request body must be valid JSON', '{'],
  ['content_type_not_json', 400, 'Request body must be valid JSON', '{"api_key":"sk-1"}', 'a/b'],
  ['body_too_large', 413, 'Request body is too large', '{}'.padEnd(16_385, ' ')],
])('a save that is refused with %s is a %i, and keeps the previous key', async (refusal) => {
  const [code, status, error, body, type = 'application/json'] = refusal
  const [userId, kept] = [await someUser(), someKey()]
  await putKey(userId, kept)
  const options = {
    token: await mintToken({ sub: userId }),
    body,
    headers: { 'Content-Type': type },
  }
  const response = await call('PUT', keyPath(userId), options)
  expect(response.headers.get('Content-Type')).toBe('application/json')
  expect([response.status, await response.json()]).toMatchObject([status, { code, error }])
  expect(await storedKey(userId)).toBe(kept)
})
