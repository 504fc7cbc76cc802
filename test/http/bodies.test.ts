/** The bodies of requests: what is wrong with one, without a character of a key, and what it becomes. */

import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { VaultError } from '../../src/errors.ts'
import { readBody, requireValid } from '../../src/http/bodies.ts'
import { answerError } from '../../src/http/answer.ts'
import { call, keyPath, mintToken, putKey, someKey, someUser, storedKey } from '../support.ts'

/** Answers with the body as the routes get it. */
const app = new Hono()
  .onError(answerError)
  .put('/key', async (c) => c.json(await readBody('KeyBody', c.req)))
  .put('/slot', async (c) => c.json(await readBody('SlotBody', c.req)))
  .patch('/', async (c) => c.json(await readBody('LimitsBody', c.req)))

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

/** A body that is not a string is sent as JSON. */
async function patch(body: unknown) {
  const sent = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'Content-Type': 'application/json' }
  const response = await app.request('/', { method: 'PATCH', headers, body: sent })
  return { status: response.status, body: await response.json() }
}

const clients = (count: number, length = 1) =>
  Array.from({ length: count }, () => `relay:${'a'.repeat(length)}`)
const uses = (count: unknown, per: unknown = 'day') => ({ max_uses: { count, per } })

it.for<[body: unknown, code: string, detail: string]>([
  [{}, 'limits_invalid', 'Send label, position or both, or one or more of paused'],
  [[], 'limits_invalid', 'Send label, position or both, or one or more of paused'],
  ['', 'limits_invalid', 'Send label, position or both, or one or more of paused'],
  ['null', 'limits_invalid', 'Send label, position or both, or one or more of paused'],
  [{ pause: true }, 'limits_invalid', 'and no other field'],
  [{ paused: true, pause: true }, 'limits_invalid', 'and no other field'],
  ['{"paused":true,"__proto__":{}}', 'limits_invalid', 'and no other field'],
  [{ paused: 'true' }, 'limits_invalid', 'paused must be true or false'],
  [{ paused: null }, 'limits_invalid', 'paused must be true or false'],
  [{ callers: 'binding:chat' }, 'limits_invalid', 'callers must be null or a list'],
  [{ callers: [''] }, 'limits_invalid', 'callers must be null or a list'],
  [{ callers: [7] }, 'limits_invalid', 'callers must be null or a list'],
  [{ max_uses: 10 }, 'limits_invalid', 'max_uses must be null, or'],
  [{ max_uses: { count: 1 } }, 'limits_invalid', 'max_uses.per must be'],
  [
    { max_uses: { count: 1, per: 'day', in: 'UTC' } },
    'limits_invalid',
    'max_uses must be null, or',
  ],
  [uses(-1), 'limits_invalid', 'max_uses.count must be'],
  [uses(1.5), 'limits_invalid', 'max_uses.count must be'],
  [uses('1'), 'limits_invalid', 'max_uses.count must be'],
  [uses(1_000_000_001), 'limits_invalid', 'max_uses.count must be'],
  [uses(1, 'hour'), 'limits_invalid', 'max_uses.per must be'],
  [{ expires_at: '2001-01-01T00:00:00Z' }, 'expires_at_invalid', 'must be a time in the future'],
  [{ paused: true, expires_at: 'soon' }, 'expires_at_invalid', 'must be a time in the future'],
  ['{', 'invalid_json', 'The body is not JSON'],
])('refuses the limits %j with %s', async ([body, code, detail]) => {
  const refusal = { code, detail: expect.stringContaining(detail) }
  expect(await patch(body)).toMatchObject({ status: 400, body: refusal })
})

it.for<[body: object]>([
  [{ paused: false }],
  [{ callers: null }],
  [{ callers: [] }],
  [{ max_uses: null }],
  [uses(0)],
  [uses(1_000_000_000, 'month')],
  [{ expires_at: null }],
  [
    {
      paused: true,
      callers: ['binding:chat', 'relay:my-client'],
      max_uses: null,
      expires_at: null,
    },
  ],
])('accepts the limits %j', async ([body]) => {
  expect(await patch(body)).toEqual({ status: 200, body })
})

it.for<[status: number, name: string, callers: string[]]>([
  [200, '50 callers with names of 200 characters', clients(50, 200)],
  [200, 'each kind of caller', ['binding:My_chat-2.test', 'relay:https://app.example.com/?a=1']],
  [400, '51 callers', clients(51)],
])('answers %i to %s', async ([status, , names]) => {
  expect((await patch({ callers: names })).status).toBe(status)
})

it.for<[name: string, caller: string]>([
  ['without a kind', 'secret-app'],
  ['of an unknown kind', 'server:secret-app'],
  ['with its kind in capitals', 'Relay:secret-app'],
  ['without a name', 'binding:'],
  ['with a space before its kind', ' relay:secret-app'],
  ['with a space in its name', 'relay:secret app'],
  ['with a line break', 'relay:secret-app\n'],
  ['with a name that no bound Worker has', 'binding:secret/app'],
  ['with a longer name than a bound Worker has', `binding:${'secret'.repeat(11)}`],
  ['with a longer name than a client has', `relay:${'secret'.repeat(34)}`],
])('refuses a caller %s, says what it must be, and quotes nothing', async ([, caller]) => {
  const { status, body } = await patch({ callers: ['binding:chat', caller] })
  expect(status).toBe(400)
  const detail = expect.stringContaining('each of the form binding:NAME or relay:NAME')
  expect(body).toMatchObject({ code: 'limits_invalid', detail })
  expect(JSON.stringify(body)).not.toContain('secret')
})

it('reads expires_at as UTC in milliseconds', async () => {
  const given = { expires_at: '2999-01-01T00:00:00+01:00' }
  expect((await patch(given)).body).toEqual({ expires_at: '2998-12-31T23:00:00.000Z' })
})

it('drops what a schema does not know, and refuses a value with the first issue', () => {
  const schema = z.object({ a: z.optional(z.string('It is not a string.')) })
  const refuse = (issue: z.core.$ZodIssue | undefined, value: unknown) =>
    new VaultError('invalid_argument', { detail: `${issue?.message} ${JSON.stringify(value)}` })
  expect(requireValid(schema, { a: 'y', b: 1 }, refuse)).toEqual({ a: 'y' })
  expect(requireValid(schema, {}, refuse)).toEqual({})
  expect(() => requireValid(schema, { a: 1 }, refuse)).toThrow(
    expect.objectContaining({ code: 'invalid_argument', detail: 'It is not a string. {"a":1}' }),
  )
})
