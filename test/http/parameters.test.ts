/** The queries and preconditions of requests: which of them the vault answers, and what it reads in them. */

import { Hono } from 'hono'
import { expect, it, describe } from 'vitest'
import { answerError } from '../../src/http/answer.ts'
import { isAsked, rangeOf, readQuery, readPrecondition } from '../../src/http/parameters.ts'
import { eventsPath } from '../keys/key-owner.ts'
import {
  call,
  mintToken,
  interceptD1,
  keyPath,
  seenByProvider,
  slotPath,
  someKey,
  someUser,
  storedKey,
} from '../support.ts'
import type { Condition } from '../../src/store/slot-check.ts'
import { env } from '../isolate.ts'

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

const queries = new Hono()
  .onError(answerError)
  .put('/', (c) => c.json({ isAsked: isAsked(readQuery('Verify', c.req)) }))
  .get('/', (c) => c.json(readQuery('Events', c.req)))

const putQuery = async (query: string) => {
  const response = await queries.request(`/${query}`, { method: 'PUT' })
  return { status: response.status, body: await response.json() }
}

it.for<[query: string, body: object]>([
  ['?verify=true', { isAsked: true }],
  ['?verify=false', { isAsked: false }],
  ['', {}],
  ['?other=x', {}],
])('reads the query %j as %j', async ([query, body]) => {
  expect(await putQuery(query)).toEqual({ status: 200, body })
})

it.for(['?verify=maybe', '?verify=', '?verify', '?verify=TRUE', '?verify=true&verify=false'])(
  'refuses the query %s',
  async (query) => {
    const detail = '"verify" must be true or false.'
    expect(await putQuery(query)).toMatchObject({
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
  const response = await queries.request(`/${query}`)
  expect([response.status, await response.json()]).toEqual([200, read])
})

it('refuses a parameter that is given twice', async () => {
  const response = await queries.request('/?provider=x&provider=y')
  expect([response.status, await response.json()]).toMatchObject([400, { code: 'invalid_query' }])
})

const tagged = (...tags: string[]): Condition => ({ kind: 'tagged', tags })

it.for<[headers: Record<string, string>, condition: Condition | null]>([
  [{}, null],
  [{ 'If-Match': '*' }, { kind: 'present' }],
  [{ 'If-Match': ' * ' }, { kind: 'present' }],
  [{ 'If-Match': '"a"' }, tagged('a')],
  [{ 'If-Match': '"a", W/"b" ,"c"' }, tagged('a', 'b', 'c')],
  [{ 'If-Match': '"a, b"' }, tagged('a, b')],
  [{ 'If-Match': '""' }, tagged('')],
  [{ 'If-Match': '"a"', 'If-None-Match': '*' }, tagged('a')],
  [{ 'If-None-Match': '*' }, { kind: 'empty' }],
  [{ 'If-None-Match': '"a"' }, null],
])('reads the headers %j as the condition %j', async ([headers, condition]) => {
  const app = new Hono().put('/', (c) => c.json(readPrecondition(c)))
  const response = await app.request('/', { method: 'PUT', headers })
  expect(await response.json()).toEqual(condition)
})

const slotOf = (userId: string) => slotPath(userId, 'acme')
const PATHS = [
  ['the plain route', keyPath, 'default'],
  ['a slot', slotOf, 'acme'],
] as const

const BODY = { api_key: 'sk-test-1' }
const WITH_URL = { ...BODY, base_url: 'https://own.test' }

/** Each route that takes an If-Match. */
const CHANGES: [method: string, pathOf: (userId: string) => string, body?: object][] = [
  ['PUT', keyPath, BODY],
  ['DELETE', keyPath],
  ['PUT', slotOf, BODY],
  ['DELETE', slotOf],
  ['PATCH', slotOf, { paused: true }],
]

/** A user, and requests to one of the user's slots. */
async function someOwner(pathOf: (userId: string) => string) {
  const userId = await someUser()
  const token = await mintToken({ sub: userId })
  const send = async (method: string, headers: Record<string, string> = {}, apiKey = someKey()) => {
    const body = method === 'PUT' ? { api_key: apiKey } : undefined
    const path = `${pathOf(userId)}${method === 'PUT' ? '?verify=false' : ''}`
    const response = await call(method, path, { token, headers, body })
    return { status: response.status, tag: response.headers.get('ETag') ?? '', response }
  }
  /** The tags in the list of all slots. */
  const list = async () => {
    const response = await call('GET', slotPath(userId, '').slice(0, -1), { token })
    const { api_keys } = await response.json<{ api_keys: { etag?: string }[] }>()
    return api_keys.flatMap(({ etag }) => etag ?? [])
  }
  return { userId, send, list }
}

describe('the entity tag', () => {
  it.for(PATHS)('%s tags each key anew, and an empty slot not at all', async ([, pathOf]) => {
    const { send } = await someOwner(pathOf)
    expect((await send('GET')).tag).toBe('')
    const apiKey = someKey()
    const first = await send('PUT', {}, apiKey)
    expect(first.tag).toMatch(/^"[\da-f]{32}\.1"$/)
    expect((await send('GET')).tag).toBe(first.tag)
    const second = await send('PUT', {}, apiKey)
    expect([second.tag, '']).not.toContain(first.tag)
    await send('DELETE')
    expect((await send('GET')).tag).toBe('')
    expect([first.tag, second.tag]).not.toContain((await send('PUT', {}, apiKey)).tag)
  })

  it.for(PATHS)('%s has the tag in its header, in its body and in the list', async ([, pathOf]) => {
    const { send, list } = await someOwner(pathOf)
    const put = await send('PUT')
    expect(await put.response.json()).toMatchObject({ user: { etag: put.tag } })
    expect(await (await send('GET')).response.json()).toMatchObject({ etag: put.tag })
    expect(await list()).toEqual([put.tag])
  })

  it('tags a key that does not open as well', async () => {
    const { userId, send, list } = await someOwner(slotOf)
    const { tag } = await send('PUT')
    const sql = "UPDATE api_keys SET encrypted_api_key = 'v1.0123456789ab.AAAA' WHERE user_id = ?1"
    await env.DB.prepare(sql).bind(userId).run()
    const get = await send('GET')
    expect([get.tag, await get.response.json()]).toMatchObject([tag, { etag: tag }])
    expect(await list()).toEqual([tag])
    expect((await send('DELETE', { 'If-Match': tag })).status).toBe(200)
  })

  it('changes with each change that the owner makes, and with nothing else', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const ask = async (method: string, path: string, body?: object) => {
      const response = await call(method, slotPath(userId, path), { token, body })
      expect(response.status).toBe(200)
      const { etag, user } = await response.json<{ etag?: string; user?: { etag: string } }>()
      return etag ?? user?.etag
    }
    const seen = [
      await ask('PUT', 'default', { api_key: `sk-good-${crypto.randomUUID()}` }),
      await ask('POST', 'openai/assign?verify=false'),
      await ask('PATCH', 'openai', { paused: true }),
      await ask('PATCH', 'openai', { paused: false }),
      await ask('PATCH', 'openai', { callers: [] }),
      await ask('PATCH', 'openai', { max_uses: { count: 1, per: 'day' } }),
      await ask('PATCH', 'openai', { expires_at: '2999-01-01T00:00:00.000Z' }),
    ]
    expect(new Set(seen).size).toBe(seen.length)
    const last = seen.at(-1)
    expect(await ask('PATCH', 'openai', { paused: false, callers: [] })).toBe(last)
    expect(await ask('POST', 'openai/verify')).toBe(last)
    expect(await ask('GET', 'openai')).toBe(last)
  })

  it.for(PATHS)('%s never answers 304, since a use changes no tag', async ([, pathOf]) => {
    const { userId, send } = await someOwner(pathOf)
    const { tag } = await send('PUT')
    for (const asked of [tag, `W/${tag}`, '*']) {
      const get = await send('GET', { 'If-None-Match': asked })
      expect([get.status, await get.response.json()]).toMatchObject([200, { etag: tag }])
    }
    const token = await mintToken({ sub: userId })
    const headers = { 'If-None-Match': tag }
    const list = await call('GET', slotPath(userId, '').slice(0, -1), { token, headers })
    expect([list.status, list.headers.get('ETag')]).toEqual([200, null])
  })
})

describe('a condition', () => {
  it.for(PATHS)(
    '%s lets a client change only the key that it saw',
    async ([, pathOf, provider]) => {
      const { userId, send } = await someOwner(pathOf)
      const { tag: old } = await send('PUT')
      const key = someKey()
      const { tag } = await send('PUT', { 'If-Match': `"other", W/${old}` }, key)
      for (const method of ['PUT', 'DELETE']) {
        const late = await send(method, { 'If-Match': old })
        expect([late.status, await late.response.json()]).toMatchObject([
          412,
          {
            code: 'changed_meanwhile',
            detail: 'Another change came in between: read the slot again.',
          },
        ])
      }
      expect(await storedKey(userId, env, provider)).toBe(key)
      expect((await send('DELETE', { 'If-Match': tag })).status).toBe(200)
    },
  )

  it.for(
    PATHS.flatMap(([name, pathOf]) => [
      [name, '{"If-None-Match":"*"}', 'the empty slot alone', pathOf, 200, 412] as const,
      [name, '{"If-Match":"*"}', 'the filled slot alone', pathOf, 412, 200] as const,
      [name, '{"If-Match":"\\"other\\""}', 'neither slot', pathOf, 412, 412] as const,
    ]),
  )('%s changes, with %s, %s', async ([, headers, , pathOf, empty, filled]) => {
    const { send } = await someOwner(pathOf)
    expect((await send('PUT', JSON.parse(headers))).status).toBe(empty)
    await send('PUT')
    expect((await send('PUT', JSON.parse(headers))).status).toBe(filled)
    expect((await send('DELETE', JSON.parse(headers))).status).toBe(filled)
  })

  it.for(PATHS)('%s says which condition is not met', async ([, pathOf]) => {
    const { send } = await someOwner(pathOf)
    const detail = async (method: string, headers: Record<string, string>) =>
      (await (await send(method, headers)).response.json<{ detail?: string }>()).detail
    expect(await detail('DELETE', { 'If-Match': '*' })).toBe('The slot has no API key.')
    expect(await detail('PUT', { 'If-Match': '*' })).toBe('The slot has no API key.')
    await send('PUT')
    expect(await detail('PUT', { 'If-None-Match': '*' })).toBe('The slot has an API key already.')
    expect(await detail('DELETE', { 'If-None-Match': '*' })).toBe(
      'The slot has an API key already.',
    )
    expect(await detail('DELETE', { 'If-Match': '"other"' })).toBe(
      'Another change came in between: read the slot again.',
    )
  })

  it('lets one of two changes with the same tag happen', async () => {
    const { userId, send } = await someOwner(slotOf)
    const { tag } = await send('PUT')
    const token = await mintToken({ sub: userId })
    const patch = async (body: object) =>
      (await call('PATCH', slotOf(userId), { token, headers: { 'If-Match': tag }, body })).status
    expect(await patch({ paused: true })).toBe(200)
    expect(await patch({ paused: false })).toBe(412)
    expect((await send('PUT', { 'If-Match': tag })).status).toBe(412)
    expect((await send('DELETE', { 'If-Match': tag })).status).toBe(412)
  })

  it.for(['', '"x", *', '*, *', 'x', '"x', '"x" "y"', '"x",', 'w/"x"'])(
    'refuses the If-Match %j on each route that takes one, before it asks D1',
    async (match) => {
      const userId = await someUser()
      const token = await mintToken({ sub: userId })
      const trips: unknown[] = []
      const DB = interceptD1(async (trip) => {
        trips.push(trip)
        return trip()
      })
      const headers = { 'If-Match': match }
      const answers = await Promise.all(
        CHANGES.map(async ([method, pathOf, body]) => {
          const options = { token, headers, body, env: { DB } }
          const response = await call(method, pathOf(userId), options)
          return [response.status, await response.json()]
        }),
      )
      const detail = 'If-Match must be * or a list of entity tags, such as "0123abcd.1".'
      const refusal = [400, { code: 'invalid_precondition', detail }]
      expect(answers).toMatchObject(CHANGES.map(() => refusal))
      expect(trips).toEqual([])
    },
  )

  it.for<[what: string, method: string, path: string, body: object, code: string]>([
    ['a body that is not valid first', 'PUT', 'acme', { api_key: '' }, 'api_key_invalid'],
    ['limits that are not valid first', 'PATCH', 'acme', { paused: 1 }, 'limits_invalid'],
    ['a query that is not valid first', 'PUT', 'acme?verify=1', BODY, 'invalid_query'],
    ['an unknown provider later', 'PUT', 'unknown', BODY, 'invalid_precondition'],
    ['a base URL that is not valid later', 'PUT', 'acme', WITH_URL, 'invalid_precondition'],
  ])('refuses %s, if the If-Match is malformed too', async ([, method, path, body, code]) => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const options = { token, headers: { 'If-Match': 'x' }, body }
    const answer = await call(method, slotPath(userId, path), options)
    expect(await answer.json()).toMatchObject({ code })
  })

  it('asks for the condition in the same round trip', async () => {
    const { userId, send } = await someOwner(slotOf)
    const { tag } = await send('PUT')
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      return trip()
    })
    const token = await mintToken({ sub: userId })
    const headers = { 'If-Match': tag }
    const body = { api_key: someKey() }
    const path = `${slotOf(userId)}?verify=false`
    const put = await call('PUT', path, { token, headers, body, env: { DB } })
    expect([put.status, trips]).toEqual([200, 1])
  })

  it('refuses a change of another key before it asks the provider', async () => {
    const userId = await someUser()
    const token = await mintToken({ sub: userId })
    const apiKey = `sk-good-${crypto.randomUUID()}`
    const options = { token, headers: { 'If-Match': '"other"' }, body: { api_key: apiKey } }
    const answer = await call('PUT', `${slotPath(userId, 'openai')}?verify=true`, options)
    expect(await answer.json()).toMatchObject({ code: 'changed_meanwhile' })
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it.for(PATHS)(
    '%s answers 404 to a condition of a user who does not exist',
    async ([, pathOf]) => {
      const token = await mintToken({ sub: 'nobody' })
      const options = { token, headers: { 'If-Match': '"x"' }, body: { api_key: someKey() } }
      expect((await call('PUT', `${pathOf('nobody')}?verify=false`, options)).status).toBe(404)
      const answer = await call('DELETE', pathOf('nobody'), {
        token,
        headers: { 'If-Match': '"x"' },
      })
      expect(answer.status).toBe(404)
    },
  )
})
