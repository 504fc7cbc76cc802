/** What a user may read of the trail, and how long the trail keeps it. */

import { afterEach, expect, it, vi } from 'vitest'
import { deleteOldEvents } from '../../src/keys/trail.ts'
import { openService } from '../../src/service.ts'
import type { EventAnswer } from '../../src/shared/answers.ts'
import { env } from '../isolate.ts'
import { call, mintToken, someUser } from '../support.ts'
import { eventsPath, kinds, someHistory, someOwner, storedEvents } from './key-owner.ts'

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

it.for(['', '?format=ndjson'])('shows events to nobody but their user: GET %j', async (query) => {
  const { userId, token } = await someOwner()
  const stranger = await mintToken({ sub: 'stranger' })
  expect((await call('GET', eventsPath(userId) + query)).status).toBe(401)
  expect((await call('GET', eventsPath(userId) + query, { token: stranger })).status).toBe(403)
  const unknown = await call('GET', eventsPath('stranger') + query, { token: stranger })
  expect(await unknown.json()).toMatchObject({ code: 'user_not_found' })
  expect((await call('GET', eventsPath(userId) + query, { token })).status).toBe(200)
})

it('deletes events that are older than EVENTS_KEPT_DAYS, and no others', async () => {
  const { userId, save, events } = await someOwner()
  await save('sk-1')
  const age = `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
    VALUES (?2, ?1, ?2 || 'T00:00:00.000Z.a', 'openai', 'saved', 'owner')`
  const day = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
  const insert = env.DB.prepare(age)
  await env.DB.batch([91, 90, 31].map((days) => insert.bind(userId, day(days))))
  await deleteOldEvents(await openService(env))
  expect(await storedEvents(userId)).toBe(3)
  await deleteOldEvents(await openService({ ...env, EVENTS_KEPT_DAYS: '30' }))
  expect(kinds(await events())).toEqual(['saved'])
})

it.for([
  ['2026-11-25', '90', '2027-02-24'],
  ['2027-12-01', '90', '2028-03-01'],
  ['2028-02-29', '1', '2028-03-02'],
  ['2028-02-28', '1', '2028-03-01'],
  ['2027-02-27', '1', '2027-03-01'],
  ['2026-12-31', '30', '2027-01-31'],
  ['2100-02-28', '1', '2100-03-02'],
  ['2038-01-19', '365', '2039-01-20'],
  ['2026-11-25', '0', '2026-11-26'],
] as const)('deletes an event of %s, kept for %s days, from %s on', async ([day, days, end]) => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const userId = await someUser()
  const insert = env.DB.prepare(
    `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     VALUES (?2, ?1, ?2 || 'T' || ?3, 'openai', 'saved', 'owner')`,
  )
  const times = ['00:00:00.000Z.a', '23:59:59.999Z.b']
  await env.DB.batch(times.map((time) => insert.bind(userId, day, time)))
  const service = await openService({ ...env, EVENTS_KEPT_DAYS: days })
  const left = async (time: number) => {
    vi.setSystemTime(time)
    await deleteOldEvents(service)
    return storedEvents(userId)
  }
  expect([await left(Date.parse(end) - 1), await left(Date.parse(end))]).toEqual([2, 0])
})
