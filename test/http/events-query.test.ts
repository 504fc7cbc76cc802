/** Which queries of the trail the vault answers. */

import { expect, it } from 'vitest'
import { readEventsQuery } from '../../src/http/events-query.ts'
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
  expect(readEventsQuery(query)).toEqual(expected)
})
