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

  it.for<[value: unknown, reason: string, detail: string, index?: number]>([
    [null, 'not_a_string', 'is null, not a string.'],
    [42, 'not_a_string', 'is a number, not a string.'],
    [true, 'not_a_string', 'is a boolean, not a string.'],
    [['sk-1'], 'not_a_string', 'is an array, not a string.'],
    [{ key: 'sk-1' }, 'not_a_string', 'is an object, not a string.'],
    ['', 'empty', 'is empty.'],
    [' \t\r\n\u00A0\uFEFF', 'empty', 'is empty.'],
    ['sk-proj-...', 'masked', `is ${MASKED}`],
    ['sk-abc...wxyz', 'masked', `is ${MASKED}`],
    ['sk-abc…', 'masked', `is ${MASKED}`],
    ['****', 'masked', `is ${MASKED}`],
    ['sk-****abcd', 'masked', `is ${MASKED}`],
    ['sk-●●●●', 'masked', `is ${MASKED}`],
    ['sk-⋯', 'masked', `is ${MASKED}`],
    ['sk-∙∙∙', 'masked', `is ${MASKED}`],
    ['sk-···', 'masked', `is ${MASKED}`],
    ['••••••••', 'masked', `is ${MASKED}`],
    ['sk-abc def', 'white_space', `has ${SPACE}`, 6],
    ['sk-abc\ndef', 'white_space', `has ${SPACE}`, 6],
    ['sk-abc\u00A0def', 'white_space', `has ${SPACE}`, 6],
    ['  sk-abc def ', 'white_space', `has ${SPACE}`, 6],
    ['sk-\u0000abc', 'control', `has ${noKeyHas(4)}`, 3],
    ['sk-\u001Babc', 'control', `has ${noKeyHas(4)}`, 3],
    ['sk-\u007Fabc', 'control', `has ${noKeyHas(4)}`, 3],
    ['sk-\uD800abc', 'non_ascii', `has ${noKeyHas(4)}`, 3],
    ['sk-abc😀', 'non_ascii', `has ${noKeyHas(7)}`, 6],
    ['sk-äbc', 'non_ascii', `has ${noKeyHas(4)}`, 3],
    ['ѕk-abc', 'non_ascii', `has ${noKeyHas(1)}`, 0],
    [
      'sk-\u200Babc',
      'invisible_characters',
      'comes with invisible characters: send the key alone.',
    ],
    ['Bearer sk-abc', 'scheme', 'comes with a scheme such as Bearer: send the key alone.'],
    ['K_TOKEN="sk-abc"', 'quotes', 'comes with quotes and its name: send the key alone.'],
    ['https://a.test/key', 'url', 'is a URL, not an API key.'],
    ['{"id": 1}', 'json', 'is a JSON document: send the API key alone.'],
    ['None', 'placeholder', 'is a placeholder for a missing value.'],
    ['"sk-abc"', 'quotes', 'comes with quotes: send the key alone.'],
  ])('refuses the api_key %j as %s: it %s', async ([value, reason, detail, index]) => {
    expect(await putKeyText(value)).toEqual({
      status: 400,
      body: {
        error: 'Valid API key string is required',
        code: 'api_key_invalid',
        detail: `api_key ${detail}`,
        reason,
        ...(index !== undefined && { index }),
      },
    })
  })

  it('accepts 8,192 characters, and refuses one more', async () => {
    const longest = 'k'.repeat(8_192)
    expect(await putKeyText(longest)).toEqual({ status: 200, body: { api_key: longest } })
    const detail = 'api_key is over 8,192 characters.'
    const body = { detail, reason: 'too_long' }
    expect(await putKeyText(`${longest}k`)).toMatchObject({ status: 400, body })
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
  const refusal = await put(body, '/slot')
  expect(refusal).toMatchObject({ status: 400, body: { code } })
  expect(refusal.body).not.toHaveProperty('reason')
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
