/** The query of a save, with which a user asks for a check of the key or skips it. */

import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { answerError } from '../../src/http/error-answer.ts'
import { isAsked, requireQuery } from '../../src/http/verify-query.ts'

const app = new Hono()
  .onError(answerError)
  .put('/', requireQuery, (c) => c.json({ isAsked: isAsked(c.req.valid('query')) }))

const put = async (query: string) => {
  const response = await app.request(`/${query}`, { method: 'PUT' })
  return { status: response.status, body: await response.json() }
}

it.for<[query: string, body: object]>([
  ['?verify=true', { isAsked: true }],
  ['?verify=false', { isAsked: false }],
  ['', {}],
  ['?other=x', {}],
])('reads the query %j as %j', async ([query, body]) => {
  expect(await put(query)).toEqual({ status: 200, body })
})

it.for(['?verify=maybe', '?verify=', '?verify', '?verify=TRUE', '?verify=true&verify=false'])(
  'refuses the query %s',
  async (query) => {
    const detail = '"verify" must be true or false.'
    expect(await put(query)).toMatchObject({
      status: 400,
      body: { code: 'invalid_query', detail },
    })
  },
)
