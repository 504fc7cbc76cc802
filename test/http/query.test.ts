/** The queries of requests: which of them the vault answers, and what it reads in them. */

import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { answerError } from '../../src/http/error-answer.ts'
import { isAsked, rangeOf, readQuery } from '../../src/http/query.ts'
import { eventsPath } from '../keys/key-owner.ts'
import { call, mintToken } from '../support.ts'

const LIMIT = '"limit" must be a number from 1 to 200.'
const CURSOR = '"cursor" must be the next_cursor of the previous page.'
const TIME = '2026-11-25T12:00:00.000Z'

it.for([
  ['limit=', LIMIT],
  ['limit=0', LIMIT],
  ['limit=201', LIMIT],
  ['limit=1e2', LIMIT],
  ['cursor=next', CURSOR],
  [`cursor=.${TIME}`, CURSOR],
  ...['from', 'to'].flatMap((name) =>
    [
      '',
      'yesterday',
      '2026-11-25',
      '2026-11-25T12:00:00',
      '2026-11-25T12:00:00%2B01:00',
      '2026-02-30T12:00:00Z',
      '+012026-11-25T12:00:00Z',
      '1764072000',
    ].map((text) => [
      `${name}=${text}`,
      `"${name}" must be a time in UTC, such as 2026-11-25T12:00:00Z.`,
    ]),
  ),
  ['format=csv', '"format" must be json or ndjson.'],
])('refuses ?%s', async ([query, detail]) => {
  const token = await mintToken({ sub: 'user' })
  const response = await call('GET', `${eventsPath('user')}?${query}`, { token })
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ code: 'invalid_query', detail })
})

it.for([
  [1_000, 'user_not_found'],
  [1_001, 'invalid_query'],
] as const)('answers a cursor of %i characters with %s', async ([length, code]) => {
  const token = await mintToken({ sub: 'user' })
  const path = `${eventsPath('user')}?cursor=${TIME.padEnd(length, 'x')}`
  expect(await (await call('GET', path, { token })).json()).toMatchObject({ code })
})

it.for([
  ['nothing', {}, { limit: 50 }],
  ['the first limit', { limit: '1' }, { limit: 1 }],
  ['the last limit', { limit: '200' }, { limit: 200 }],
  ['a slot', { provider: 'acme' }, { provider: 'acme', limit: 50 }],
  [
    'a time',
    { from: '2026-11-25T12:00:00Z', to: '2026-11-25T12:30Z' },
    { from: TIME, to: '2026-11-25T12:30:00.000Z', limit: 50 },
  ],
  ['a page', { cursor: `${TIME}.a` }, { cursor: `${TIME}.a`, limit: 50 }],
] as const)('reads a query that asks for %s: %j', ([, query, expected]) => {
  expect(rangeOf(query)).toEqual(expected)
})

const app = new Hono()
  .onError(answerError)
  .put('/', (c) => c.json({ isAsked: isAsked(readQuery('Verify', c.req)) }))
  .get('/', (c) => c.json(readQuery('Events', c.req)))

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

it.for<[query: string, read: object]>([
  ['?provider=x', { provider: 'x' }],
  ['?provider=%C3%A9&b=y', { provider: 'é' }],
  ['?provider', { provider: '' }],
  ['', {}],
])('reads of %j what the schema knows', async ([query, read]) => {
  const response = await app.request(`/${query}`)
  expect([response.status, await response.json()]).toEqual([200, read])
})

it('refuses a parameter that is given twice', async () => {
  const response = await app.request('/?provider=x&provider=y')
  expect([response.status, await response.json()]).toMatchObject([400, { code: 'invalid_query' }])
})
