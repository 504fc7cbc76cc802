/** The HTTP answer to an error: its body, its headers, and what the log gets of it. */

import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { answerError, type AnswerVariables } from '../../src/http/error-answer.ts'
import { interceptD1, putKey, recordLogs, someUser } from '../support.ts'

/** Answers `error` to a request, and tells what the answer left for the request's log line. */
async function answer(error: unknown, method = 'GET') {
  const left: AnswerVariables = {}
  const app = new Hono<{ Variables: AnswerVariables & { requestId: string } }>()
    .use(async (c, next) => {
      c.set('requestId', 'request-1')
      await next()
      Object.assign(left, { errorCode: c.get('errorCode'), errorReason: c.get('errorReason') })
    })
    .all('/', (c) => answerError(error, c, { Allow: 'GET' }))
  const response = await app.request('/', { method })
  return { left, status: response.status, headers: response.headers, body: await response.json() }
}

it('answers a refusal with its sentence, its code, its detail and the request id', async () => {
  const logs = recordLogs()
  const refusal = new VaultError('api_key_invalid', { detail: 'api_key is empty.' })
  const { status, headers, body, left } = await answer(refusal)
  expect([status, body]).toEqual([
    400,
    {
      error: 'Valid API key string is required',
      code: 'api_key_invalid',
      detail: 'api_key is empty.',
      request_id: 'request-1',
    },
  ])
  expect([headers.get('X-Vault-Error'), headers.get('Allow')]).toEqual(['api_key_invalid', 'GET'])
  expect(left).toEqual({ errorCode: 'api_key_invalid' })
  expect(logs.events()).toEqual([])
})

it.for<[method: string, verb: string]>([
  ['GET', 'access'],
  ['PUT', 'update'],
  ['PATCH', 'update'],
  ['POST', 'update'],
  ['DELETE', 'delete'],
])('says for not_your_own that a %s may not %s the key', async ([method, verb]) => {
  const { body } = await answer(new VaultError('not_your_own'), method)
  expect(body).toMatchObject({ error: `Unauthorized to ${verb} this user's API key` })
})

const WAIT = { retryAfter: 3 }

it.for<[name: string, error: VaultError, header: string, value: string | null]>([
  ['a missing token', new VaultError('token_missing'), 'WWW-Authenticate', 'Bearer'],
  [
    'an expired token',
    new VaultError('token_expired'),
    'WWW-Authenticate',
    'Bearer error="invalid_token"',
  ],
  ['a refused body', new VaultError('invalid_json'), 'WWW-Authenticate', null],
  ['a refusal that passes', new VaultError('database_busy', WAIT), 'Retry-After', '3'],
  ['a refusal that stays', new VaultError('no_api_key'), 'Retry-After', null],
  ['an unreadable key', new VaultError('api_key_unreadable'), 'X-Should-Retry', 'false'],
  ['a limit of the owner', new VaultError('limit_reached', WAIT), 'X-Should-Retry', 'false'],
  ['a busy database', new VaultError('database_busy', WAIT), 'X-Should-Retry', null],
])('answers %s with the right %s', async ([, error, header, value]) => {
  recordLogs()
  const { headers } = await answer(error)
  expect(headers.get(header)).toBe(value)
})

it('leaves why a provider was unreachable for the log line, and out of the answer', async () => {
  const cause = new TypeError('connect to https://a.test/v1?q=secret refused')
  const { left, body } = await answer(new VaultError('provider_unreachable', { cause }))
  const errorReason = 'TypeError: connect to <URL> refused'
  expect(left).toEqual({ errorCode: 'provider_unreachable', errorReason })
  expect(JSON.stringify(body)).not.toContain('refused')
})

it('answers an unknown error as internal, without a detail, and logs the error', async () => {
  const logs = recordLogs()
  const DB = interceptD1(async () => Promise.reject(new Error('D1_ERROR: something new')))
  const response = await putKey(await someUser(), 'sk-1', { env: { DB } })
  expect([response.status, response.headers.get('X-Should-Retry')]).toEqual([500, 'false'])
  expect(await response.json()).toEqual({
    error: 'Internal server error',
    code: 'internal',
    request_id: response.headers.get('X-Request-Id'),
  })
  const error = logs.events().find(({ level }) => level === 'error')
  expect(error).toMatchObject({
    code: 'internal',
    request_id: response.headers.get('X-Request-Id'),
    error: { message: 'D1_ERROR: something new', stack: expect.any(String) },
  })
})
