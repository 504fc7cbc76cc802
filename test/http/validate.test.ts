/** What a route gets of a body and a query that fit their schema, and the refusal of others. */

import { Hono } from 'hono'
import { expect, it } from 'vitest'
import * as z from 'zod/mini'
import { VaultError } from '../../src/errors.ts'
import { answerError } from '../../src/http/error-answer.ts'
import { requireValid } from '../../src/http/validate.ts'

const schema = z.object({ a: z.optional(z.string('It is not a string.')) })
const refuse = (issue: z.core.$ZodIssue | undefined, value: unknown) =>
  new VaultError('invalid_argument', { detail: `${issue?.message} ${JSON.stringify(value)}` })

const app = new Hono()
  .onError(answerError)
  .get('/', requireValid('query', schema, refuse), (c) => c.json(c.req.valid('query')))
  .post('/', requireValid('json', schema, refuse), (c) => c.json(c.req.valid('json')))

const JSON_TYPE = { 'Content-Type': 'application/json' }

async function send(query: string, body?: string) {
  const method = body === undefined ? 'GET' : 'POST'
  const init = body === undefined ? { method } : { method, headers: JSON_TYPE, body }
  const response = await app.request(`/${query}`, init)
  return { status: response.status, body: await response.json() }
}

it.for<[query: string, body: string | undefined, valid: object]>([
  ['?a=x', undefined, { a: 'x' }],
  ['?a=%C3%A9&b=y', undefined, { a: 'é' }],
  ['?a', undefined, { a: '' }],
  ['', undefined, {}],
  ['?a=x', '{"a":"y","b":1}', { a: 'y' }],
  ['?a=x', '{}', {}],
])('passes on what the schema knows of %j with the body %j', async ([query, body, valid]) => {
  expect(await send(query, body)).toEqual({ status: 200, body: valid })
})

it.for<[query: string, body: string | undefined, detail: string]>([
  ['?a=x&a=y', undefined, 'It is not a string. {"a":["x","y"]}'],
  ['?a=x', '{"a":1}', 'It is not a string. {"a":1}'],
])('refuses %j with the body %j', async ([query, body, detail]) => {
  expect(await send(query, body)).toMatchObject({
    status: 400,
    body: { code: 'invalid_argument', detail },
  })
})
