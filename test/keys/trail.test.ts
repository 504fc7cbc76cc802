/** What a user may read of the trail. */

import { afterEach, expect, it, vi } from 'vitest'
import type { EventAnswer } from '../../src/shared/answers.ts'
import { exportEvents } from '../../src/keys/trail.ts'
import { seedEvents } from '../faults/operations.ts'
import { env } from '../isolate.ts'
import { call, mintToken, ownerOf } from '../support.ts'
import { ALL_SLOTS, noteLook } from '../../src/keys/look.ts'
import { eventsPath, someHistory, someOwner } from './key-owner.ts'

afterEach(() => vi.useRealTimers())

interface Page {
  user_id: string
  events: EventAnswer[]
  next_cursor: string | null
}

it.for([
  [30, [7, 7, 7, 7, 2]],
  [28, [7, 7, 7, 7]],
] as const)('lists %i events in pages, the newest first, across days', async ([count, pages]) => {
  const { userId, token, ids } = await someHistory(count)
  const seen: string[][] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query = `?limit=7${cursor && `&cursor=${encodeURIComponent(cursor)}`}`
    const response = await call('GET', eventsPath(userId) + query, { token })
    const page: Page = await response.json()
    expect(page.user_id).toBe(userId)
    seen.push(page.events.map(({ id }) => id))
    cursor = page.next_cursor
  }
  expect(seen.map(({ length }) => length)).toEqual(pages)
  expect(seen.flat()).toEqual(ids)
})

it('lists 50 events on a page by default, or those of one slot', async () => {
  const { events } = await someHistory(120)
  expect(await events()).toHaveLength(50)
  const filtered = await events('?provider=acme&limit=200')
  expect(new Set(filtered.map(({ provider }) => provider))).toEqual(new Set(['acme']))
  expect(filtered).toHaveLength(60)
})

it.for(['', 'format=ndjson&'])(
  'reads events from a time on, and before another: %j',
  async (format) => {
    const { userId, token, ids } = await someHistory(30)
    const times = ids.map((text = '') => text.slice(0, 24))
    const read = async (query: string) => {
      const response = await call('GET', `${eventsPath(userId)}?${format}${query}`, { token })
      const body = await response.text()
      return Array.from(body.matchAll(/"id":"(.*?)"/g), ([, id = '']) => id)
    }
    const cursor = encodeURIComponent(ids[6] ?? '')
    expect(await read(`from=${times[9]}`)).toEqual(ids.slice(0, 10))
    expect(await read(`to=${times[9]}`)).toEqual(ids.slice(10))
    expect(await read(`from=${times[9]}&to=${times[4]}`)).toEqual(ids.slice(5, 10))
    expect(await read(`from=${times[9]}&to=${times[4]}&cursor=${cursor}`)).toEqual(ids.slice(7, 10))
    expect(await read(`from=${times[9]}&to=${times[9]}`)).toEqual([])
  },
)

it('lists the events of the plain route with those of the slot of DEFAULT_PROVIDER', async () => {
  const { userId, token, save, putPlain } = await someOwner()
  await putPlain('sk-1')
  await save('sk-2')
  const providers = async (vault: Partial<Env>) => {
    const path = `${eventsPath(userId)}?provider=openai`
    const page: Page = await (await call('GET', path, { token, env: vault })).json()
    return page.events.map(({ provider }) => provider).toSorted()
  }
  expect(await providers({})).toEqual(['openai'])
  expect(await providers({ DEFAULT_PROVIDER: 'openai' })).toEqual(['default', 'openai'])
})

it.for(['', '&format=ndjson'])(
  'lists looks at all slots among the events of each slot: %j',
  async (format) => {
    const { userId, token, save } = await someOwner()
    await save('sk-1')
    const by = { kind: 'operator', name: 'server:flask-app' } as const
    const operator = { ...(await ownerOf(userId)), by }
    await noteLook(operator, ALL_SLOTS, 'viewed')
    await noteLook(operator, 'acme', 'viewed')
    const path = `${eventsPath(userId)}?provider=openai${format}`
    const body = await (await call('GET', path, { token })).text()
    const slots = Array.from(body.matchAll(/"provider":"(.*?)"/g), ([, slot = '']) => slot)
    expect(slots.toSorted()).toEqual(['*', 'openai'])
  },
)

it.for(['', '?format=ndjson'])('shows events to nobody but their user: GET %j', async (query) => {
  const { userId, token } = await someOwner()
  const stranger = await mintToken({ sub: 'stranger' })
  expect((await call('GET', eventsPath(userId) + query)).status).toBe(401)
  expect((await call('GET', eventsPath(userId) + query, { token: stranger })).status).toBe(403)
  const unknown = await call('GET', eventsPath('stranger') + query, { token: stranger })
  expect(await unknown.json()).toMatchObject({ code: 'user_not_found' })
  expect((await call('GET', eventsPath(userId) + query, { token })).status).toBe(200)
})

it('notes the look of an operator once, however many pages the export has', async () => {
  const userId = `many-${crypto.randomUUID()}`
  await seedEvents(userId)
  const by = { kind: 'operator', name: 'server:flask-app' } as const
  const pages = exportEvents({ ...(await ownerOf(userId)), by }, { limit: 50 })
  const lines = []
  for await (const page of pages) lines.push(...page)
  expect(lines).toHaveLength(1_202)
  const sql = "SELECT count(*) AS looks FROM api_key_events WHERE user_id = ?1 AND event = 'viewed'"
  expect(await env.DB.prepare(sql).bind(userId).first('looks')).toBe(1)
})
