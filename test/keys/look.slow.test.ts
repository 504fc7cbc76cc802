/** Looks in numbers: a support desk at work. The quick tests have one look of each kind. */

import { createExecutionContext } from 'cloudflare:test'
import { expect, it } from 'vitest'
import { createApp } from '../../src/http/app.ts'
import { env } from '../isolate.ts'
import { keyPath, mintToken, someKey, someKeyUser, URL_BASE } from '../support.ts'
import { eventsPath, listPath } from './key-owner.ts'

const USERS = 100
const LOOKS = 50
const AT_ONCE = 20

/** As configured: 60 of one server at one user. */
function someLimiter(): RateLimit {
  const counts = new Map<string, number>()
  return {
    limit: async ({ key }) => {
      const count = (counts.get(key) ?? 0) + 1
      counts.set(key, count)
      return { success: count <= 60 }
    },
  }
}

const PATHS = [keyPath, listPath, eventsPath, (userId: string) => `${listPath(userId)}/openai`]

/** The path of each look, at one user after the other. */
function pathsOf(users: readonly string[]): string[] {
  const rounds = Array.from({ length: LOOKS }, (_, index) => PATHS[index % PATHS.length] ?? keyPath)
  return rounds.flatMap((path) => users.map((userId) => path(userId)))
}

it('5,000 looks at 100 users leave 5,000 events, and each user sees those at its keys', async () => {
  // Whether each answer is in the OpenAPI document is checked elsewhere.
  const app = createApp()
  const vault = { ...env, SUPPORT_LIMITER: someLimiter() }
  const get = async (path: string, token: string) => {
    const headers = { Authorization: `Bearer ${token}` }
    return app.request(URL_BASE + path, { headers }, vault, createExecutionContext())
  }
  const users = await Promise.all(Array.from({ length: USERS }, async () => someKeyUser(someKey())))
  const support = await mintToken({ client_id: 'flask-app', scope: 'vault:support' })
  const statuses = new Set<number>()
  const looks = pathsOf(users).values()
  const work = async () => {
    // oxlint-disable-next-line no-await-in-loop -- as many at once as there are workers
    for (const path of looks) statuses.add((await get(path, support)).status)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  expect([...statuses]).toEqual([200])

  const noted = await env.DB.prepare(
    `SELECT user_id, count(DISTINCT id) AS looks FROM api_key_events
     WHERE event = 'viewed' AND actor = 'operator' AND caller = 'server:flask-app' GROUP BY user_id`,
  ).all()
  expect(noted.results).toHaveLength(USERS)
  expect(noted.results.filter(({ looks: count }) => count !== LOOKS)).toEqual([])
  const [user = ''] = users
  const own = await get(`${eventsPath(user)}?limit=200`, await mintToken({ sub: user }))
  const { events } = await own.json<{ events: { event: string }[] }>()
  expect(events.filter(({ event }) => event === 'viewed')).toHaveLength(LOOKS)
}, 600_000)
