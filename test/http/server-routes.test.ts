/** What servers do over HTTP for users who are not theirs: add, list and remove them, within their own limits. */

import { createExecutionContext } from 'cloudflare:test'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import { apiKeys } from '../../src/http/api-keys.ts'
import { hang, useFakeTimers } from '../faults/fault.ts'
import { emptyVault, env } from '../isolate.ts'
import {
  call,
  keyPath,
  mintToken,
  recordLogs,
  slotPath,
  someKey,
  someKeyUser,
  someUser,
  URL_BASE,
  tightLimiter,
} from '../support.ts'

/** Asks as a server with these scopes. */
async function ask(
  method: string,
  path: string,
  { scope = 'vault:users', vault }: { scope?: string; vault?: object } = {},
) {
  const token = await mintToken({ client_id: 'flask-app', scope })
  const response = await call(method, path, { token, ...(vault && { env: vault }) })
  const code = response.headers.get('X-Vault-Error')
  const text = await response.text()
  return { status: response.status, code, body: text === '' ? null : JSON.parse(text) }
}

const userPath = (userId: string) => `/api/users/${encodeURIComponent(userId)}`

describe('the routes of users', () => {
  it.for([
    'jane',
    'auth0|jane',
    'a/b',
    'a%2Fb',
    'a?b#c&d=e;f+g',
    '../x',
    '...',
    'api-key',
    'ж 日本 😀',
    '%41',
    '%FF',
    "' OR 1=1 --",
    'n\u0000ul',
    'x'.repeat(2_000),
    '日'.repeat(2_000),
  ])('adds, shows, lists and removes the user %j', async (userId) => {
    const path = userPath(userId)
    const user = { user_id: userId, created_at: expect.stringMatching(/^20.*Z$/) }
    expect(await ask('GET', path)).toMatchObject({ status: 404, code: 'user_not_found' })
    expect((await ask('PUT', path)).body).toEqual({ user_id: userId, created: true })
    expect((await ask('PUT', path)).body).toEqual({ user_id: userId, created: false })
    expect((await ask('GET', path)).body).toEqual(user)
    const { body } = await ask('GET', '/api/users?limit=200')
    expect(body.users).toContainEqual({ ...user, keys: 0 })
    expect((await ask('DELETE', path)).body).toEqual({ user_id: userId, deleted: true })
    expect((await ask('DELETE', path)).body).toEqual({ user_id: userId, deleted: false })
    expect((await ask('GET', path)).code).toBe('user_not_found')
  })

  it.for<[segment: string, detail: string]>([
    ['x'.repeat(2_001), 'The user id is over 2,000 characters.'],
    ['%FF', 'The path is not percent-encoded UTF-8.'],
    ['caf%E9', 'The path is not percent-encoded UTF-8.'],
    ['%ED%A0%80', 'The path is not percent-encoded UTF-8.'],
    ['100%', 'The path is not percent-encoded UTF-8.'],
  ])('adds no user for the path %s', async ([segment, detail]) => {
    for (const method of ['PUT', 'GET', 'DELETE']) {
      const { status, body } = await ask(method, `/api/users/${segment}`)
      expect([status, body]).toMatchObject([400, { code: 'invalid_argument', detail }])
    }
    const team = await ask('GET', `/api/teams/${segment}`)
    expect(team).toMatchObject({ status: 400, code: 'invalid_argument' })
    const { body } = await ask('GET', `/api/users/${segment}/api-keys`, { scope: 'vault:support' })
    expect(body).toMatchObject({ code: 'invalid_argument', detail })
  })

  it.for(['.', '..', '%2e', '%2E%2e', '', 'jane/'])(
    'answers 404 for the path %j, which is not that of a user',
    async (segment) => {
      for (const method of ['PUT', 'DELETE']) {
        const answer = await ask(method, `/api/users/${segment}`)
        expect(answer).toMatchObject({ status: 404, code: 'not_found' })
      }
    },
  )

  it('removes a user with all keys, whom a save of the user’s token does not bring back', async () => {
    const userId = await someKeyUser(someKey())
    expect((await ask('DELETE', userPath(userId))).body).toEqual({ user_id: userId, deleted: true })
    const token = await mintToken({ sub: userId })
    const save = await call('PUT', keyPath(userId), { token, body: { api_key: someKey() } })
    expect(save.status).toBe(404)
  })

  it('answers other methods with those that there are', async () => {
    const token = await mintToken({ client_id: 'flask-app', scope: 'vault:users' })
    const [users, user] = [
      await call('POST', '/api/users', { token }),
      await call('POST', '/api/users/jane', { token }),
    ]
    expect([users.status, users.headers.get('Allow')]).toEqual([405, 'GET, HEAD'])
    expect([user.status, user.headers.get('Allow')]).toEqual([405, 'PUT, GET, HEAD, DELETE'])
  })
})

describe('the list of users', () => {
  it('lists each user once, by id, with the number of keys, page after page', async () => {
    await emptyVault()
    const ids = ['a', 'a/b', 'b c', 'é', '日', '😀', 'Z', '%', '&cursor=a', 'a#b']
    for (const id of ids) await someUser(id)
    const rich = await someKeyUser(someKey())
    const seen: { user_id: string; keys: number }[] = []
    let cursor: string | null = ''
    let pages = 0
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
      const { body } = await ask('GET', `/api/users?limit=4${query}`)
      seen.push(...body.users)
      cursor = body.next_cursor
      pages += 1
    }
    // As D1 compares them: by their bytes in UTF-8.
    const sorted = [...ids, rich].toSorted(compareBytes)
    expect(seen.map(({ user_id }) => user_id)).toEqual(sorted)
    expect(seen.filter(({ keys }) => keys > 0)).toMatchObject([{ user_id: rich, keys: 1 }])
    expect(pages).toBe(3)
  })

  it.for<[query: string, users: number]>([
    ['', 50],
    ['?limit=1', 1],
    ['?limit=200', 200],
    ['?cursor=%F0%9F%98%80zz', 0],
    ['?other=1&limit=2', 2],
  ])('answers %j with %i users', async ([query, expected]) => {
    await env.DB.exec(
      "INSERT OR IGNORE INTO users (id) SELECT 'many-' || value FROM json_each('[" +
        `${Array.from({ length: 210 }, (_, index) => index).join()}]')`,
    )
    const { body } = await ask('GET', `/api/users${query}`)
    expect(body.users).toHaveLength(expected)
    expect(body.next_cursor).toBe(expected === 0 ? null : body.users.at(-1).user_id)
  })

  it.for([
    'limit=0',
    'limit=201',
    'limit=-1',
    'limit=1.5',
    'limit=ten',
    'limit=',
    'limit=1&limit=2',
    'cursor=a&cursor=b',
    `cursor=${'x'.repeat(2_001)}`,
  ])('refuses the query %s', async (query) => {
    const refused = await ask('GET', `/api/users?${query}`)
    expect(refused).toMatchObject({ status: 400, code: 'invalid_query' })
  })
})

/** Compares texts as UTF-8. */
function compareBytes(one: string, other: string): number {
  const hex = (text: string) => new TextEncoder().encode(text).toHex()
  return hex(one) < hex(other) ? -1 : 1
}

describe('the limits of servers', () => {
  const someLimiter = () => ({ limit: vi.fn<RateLimit['limit']>(async () => ({ success: true })) })

  it('counts a request for the server, and one of support for the user too', async () => {
    const limiters = {
      RATE_LIMITER: someLimiter(),
      CALLER_LIMITER: someLimiter(),
      SUPPORT_LIMITER: someLimiter(),
    }
    const userId = await someUser()
    await ask('GET', userPath(userId), { vault: limiters })
    await ask('GET', slotPath(userId, 'openai'), { vault: limiters, scope: 'vault:support' })
    const keysOf = ({ limit }: ReturnType<typeof someLimiter>) => limit.mock.calls.flat()
    expect(keysOf(limiters.RATE_LIMITER)).toEqual([])
    const key = 'server:flask-app'
    expect(keysOf(limiters.CALLER_LIMITER)).toEqual([{ key }, { key }])
    expect(keysOf(limiters.SUPPORT_LIMITER)).toEqual([{ key: `${key} ${userId}` }])
  })

  it('does not count a request that is refused, or the owner’s', async () => {
    const limiters = { CALLER_LIMITER: someLimiter(), SUPPORT_LIMITER: someLimiter() }
    const userId = await someUser()
    const path = slotPath(userId, 'openai')
    await ask('GET', path, { vault: limiters, scope: 'vault:save' })
    const token = await mintToken({ sub: userId, client_id: 'flask-app', scope: 'vault:support' })
    await call('GET', path, { token, env: limiters })
    expect(limiters.CALLER_LIMITER.limit).not.toHaveBeenCalled()
    expect(limiters.SUPPORT_LIMITER.limit).not.toHaveBeenCalled()
  })

  it.for<[limiter: string, scope: string]>([
    ['CALLER_LIMITER', 'vault:users'],
    ['CALLER_LIMITER', 'vault:support'],
    ['SUPPORT_LIMITER', 'vault:support'],
  ])('%s refuses the third request with the scope %s', async ([limiter, scope]) => {
    const vault = { [limiter]: tightLimiter() }
    const userId = await someUser()
    const path = scope === 'vault:users' ? userPath(userId) : slotPath(userId, 'openai')
    const client_id = `client-${crypto.randomUUID()}`
    const token = await mintToken({ client_id, scope })
    const statuses = []
    for (const _ of [1, 2, 3]) {
      const changes = { ...vault, MANAGE_CLIENTS: `other, ${client_id}` }
      // oxlint-disable-next-line no-await-in-loop -- the limiter counts one after the other
      statuses.push((await call('GET', path, { token, env: changes })).status)
    }
    expect(statuses).toEqual([200, 200, 429])
  })

  it.for<[name: string, limit: () => Promise<RateLimitOutcome>]>([
    ['fails', async () => Promise.reject(new Error('limiter is down'))],
    [
      'throws at once',
      () => {
        throw new Error('limiter is down')
      },
    ],
    ['never answers', hang],
  ])('refuses support while SUPPORT_LIMITER %s, and lets others pass', async ([, limit]) => {
    recordLogs()
    useFakeTimers()
    const userId = await someUser()
    const vault = { CALLER_LIMITER: { limit }, SUPPORT_LIMITER: { limit } }
    const scope = 'vault:support'
    const refused = await ask('GET', slotPath(userId, 'openai'), { vault, scope })
    expect(refused).toMatchObject({ status: 503, code: 'unhealthy' })
    expect((await ask('GET', userPath(userId), { vault })).status).toBe(200)
  })
})

it.for<[what: string, claims: object, detail: string | undefined, code: string]>([
  [
    'a listed client without the scope',
    { client_id: 'flask-app', scope: 'vault:savex vault:users' },
    'None of its "scope", "scp" and "permissions" has the scope vault:support.',
    'scope_missing',
  ],
  [
    'a scope without a listed client',
    { sub: 'other', client_id: 'spa', scope: 'vault:save' },
    'Its client is not one that MANAGE_CLIENTS lists.',
    'scope_missing',
  ],
  ['another user', { sub: 'other', client_id: 'spa', scope: 'openid' }, undefined, 'not_your_own'],
])('says what it lacks to a token with %s', async ([, claims, detail, code]) => {
  const token = await mintToken({ sub: 'service', ...claims })
  const refused = await call('GET', '/api/users/jane/api-keys', { token })
  const challenge = code === 'scope_missing' ? 'Bearer error="insufficient_scope"' : null
  expect([refused.status, refused.headers.get('WWW-Authenticate')]).toEqual([403, challenge])
  const body = await refused.json<{ code: string; detail?: string }>()
  expect([body.code, body.detail]).toEqual([code, detail])
})

it('tells a user that the route of the own user is for servers', async () => {
  const token = await mintToken({ sub: 'jane', client_id: 'flask-app', scope: 'vault:users' })
  const refused = await call('DELETE', '/api/users/jane', { token })
  const detail = 'Only a server may use this route, and this token belongs to a user.'
  expect(await refused.json()).toMatchObject({ code: 'scope_missing', detail })
})

it('logs a request of a server with its name, and without the user', async () => {
  const logs = recordLogs()
  const userId = await someUser()
  await ask('GET', userPath(userId))
  expect(logs.events()).toMatchObject([
    { event: 'request', route: '/api/users/:userId', caller: 'server:flask-app', code: null },
  ])
  expect(logs.text()).not.toContain(userId)
})

it('serves the same routes in another app, out of every cache', async () => {
  const userId = await someUser()
  const other = new Hono().route('/keys', apiKeys)
  const token = await mintToken({ client_id: 'flask-app', scope: 'vault:users vault:support' })
  const answers = []
  for (const path of ['users', `users/${userId}`, `users/${userId}/api-keys`, 'users/nobody']) {
    const init = { headers: { Authorization: `Bearer ${token}` } }
    const context = createExecutionContext()
    // oxlint-disable-next-line no-await-in-loop -- one after the other is quick enough
    const { status, headers } = await other.request(`${URL_BASE}/keys/${path}`, init, env, context)
    answers.push([status, headers.get('Cache-Control'), headers.get('X-Vault-Error')])
  }
  expect(answers).toEqual([
    [200, 'no-store', null],
    [200, 'no-store', null],
    [200, 'no-store', null],
    [404, 'no-store', 'user_not_found'],
  ])
})

it('lets a page of an allowed origin alone read what a server gets, as everywhere', async () => {
  const token = await mintToken({ client_id: 'flask-app', scope: 'vault:users' })
  const vault = { CORS_ORIGINS: 'https://app.test' }
  for (const [origin, allowed] of [
    ['https://app.test', 'https://app.test'],
    ['https://evil.test', null],
  ] as const) {
    // oxlint-disable-next-line no-await-in-loop
    const answer = await call('GET', '/api/users', {
      token,
      env: vault,
      headers: { Origin: origin },
    })
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe(allowed)
  }
})
