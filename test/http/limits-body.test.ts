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

const clients = (count: number, length = 1) =>
  Array.from({ length: count }, () => `relay:${'a'.repeat(length)}`)
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
