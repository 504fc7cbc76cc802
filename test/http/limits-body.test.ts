/** The body of a `PATCH`: what is wrong with it, and what it becomes. */

import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { answerError } from '../../src/http/error-answer.ts'
import { requireLimits } from '../../src/http/limits-body.ts'

/** Answers with the body as the route gets it. */
const app = new Hono()
  .onError(answerError)
  .patch('/', requireLimits, (c) => c.json(c.req.valid('json')))

/** A body that is not a string is sent as JSON. */
async function patch(body: unknown) {
  const sent = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'Content-Type': 'application/json' }
  const response = await app.request('/', { method: 'PATCH', headers, body: sent })
  return { status: response.status, body: await response.json() }
}

const callers = (count: number, length = 1) =>
  Array.from({ length: count }, () => 'a'.repeat(length))
const uses = (count: unknown, per: unknown = 'day') => ({ max_uses: { count, per } })

it.for<[body: unknown, code: string, detail: string]>([
  [{}, 'limits_invalid', 'Send one or more of paused'],
  [[], 'limits_invalid', 'Send one or more of paused'],
  ['', 'limits_invalid', 'Send one or more of paused'],
  ['null', 'limits_invalid', 'Send one or more of paused'],
  [{ pause: true }, 'limits_invalid', 'and no other field'],
  [{ paused: true, pause: true }, 'limits_invalid', 'and no other field'],
  ['{"paused":true,"__proto__":{}}', 'limits_invalid', 'and no other field'],
  [{ paused: 'true' }, 'limits_invalid', 'paused must be true or false'],
  [{ paused: null }, 'limits_invalid', 'paused must be true or false'],
  [{ callers: 'chat' }, 'limits_invalid', 'callers must be null or a list'],
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
  [{ paused: true, callers: ['chat'], max_uses: null, expires_at: null }],
])('accepts the limits %j', async ([body]) => {
  expect(await patch(body)).toEqual({ status: 200, body })
})

it.for<[status: number, name: string, callers: string[]]>([
  [200, '50 callers of 200 characters', callers(50, 200)],
  [400, '51 callers', callers(51)],
  [400, 'a caller of 201 characters', callers(1, 201)],
  [400, 'a caller of 201 characters', callers(1, 201)],
])('answers %i to %s', async ([status, , names]) => {
  expect((await patch({ callers: names })).status).toBe(status)
})

it('reads expires_at as UTC in milliseconds', async () => {
  const given = { expires_at: '2999-01-01T00:00:00+01:00' }
  expect((await patch(given)).body).toEqual({ expires_at: '2998-12-31T23:00:00.000Z' })
})
