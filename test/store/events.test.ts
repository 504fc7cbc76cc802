/** What happens to a key is an event in the trail, which goes with its user and holds no key. */

import { afterEach, expect, it, vi } from 'vitest'
import { setLimits } from '../../src/keys/slots.ts'
import { run, runBatch, type Statement, MAX_EVENTS_A_DAY } from '../../src/store/d1.ts'
import {
  deleteEvents,
  describeEvent,
  type EventRow,
  LATEST,
  selectEvents,
  selectEventsSince,
} from '../../src/store/events.ts'
import { noted, noteEvent } from '../../src/store/noted-events.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import { bindTo } from '../binding/callers.ts'
import { env } from '../isolate.ts'
import {
  eventsPath,
  someKeyOf,
  kinds,
  someHistory,
  someOwner,
  storedEvents,
} from '../keys/key-owner.ts'
import {
  call,
  interceptD1,
  keyPath,
  mintToken,
  ownerOf,
  recordLogs,
  slotPath,
  someKey,
  someKeyUser,
  someUser,
} from '../support.ts'
import { someEventRow } from './rows.ts'

const HOUR_MS = 60 * 60 * 1_000
const byOwner = { provider: 'openai', by: 'owner', at: expect.stringMatching(/^20\d\d-.*Z$/) }

afterEach(() => vi.useRealTimers())

const read = async <Row>(statement: Statement<Row>) => (await run(env.DB, statement)).results

it('a save, a replacement and a deletion are one event each', async () => {
  const { save, remove, events } = await someOwner()
  await save(someKeyOf('good'))
  await save(someKeyOf('good'))
  await remove('openai')
  await remove('openai')
  const ids = { id: expect.any(String), request_id: expect.any(String) }
  const all = await events()
  const same = { ...byOwner, ...ids }
  expect(kinds(all)).toEqual(['saved', 'replaced', 'deleted'])
  for (const event of all) expect(event).toEqual({ ...same, event: event.event })
  for (const { id, at } of all) expect(id.startsWith(at)).toBe(true)
})

it('each change over the plain route and a move to a provider are one event each', async () => {
  const { userId, request, putPlain, assign, events } = await someOwner()
  await putPlain(someKeyOf('good'))
  await assign('openai')
  await putPlain(someKeyOf('good'))
  await request('DELETE', keyPath(userId))
  const plain = { ...byOwner, provider: 'default' }
  expect(await events()).toMatchObject([
    { ...plain, event: 'saved' },
    { ...byOwner, event: 'assigned' },
    { ...plain, event: 'saved' },
    { ...plain, event: 'deleted' },
  ])
})

it.for([
  ['good', 'accepted'],
  ['bad', 'refused'],
  ['busy', 'unknown'],
])('a check of a %s key is one event, with the verdict %s', async ([kind = '', verdict]) => {
  const { save, verify, events } = await someOwner()
  await save(someKeyOf(kind))
  await verify('openai')
  expect((await events()).slice(1)).toMatchObject([{ ...byOwner, event: 'verified', verdict }])
})

it('a key that its provider rejects on a save is one event', async () => {
  const { put, events } = await someOwner()
  expect((await put('openai', someKeyOf('bad'))).status).toBe(422)
  expect(await events()).toMatchObject([
    { ...byOwner, event: 'rejected_on_save', verdict: 'refused' },
  ])
})

it('a pause is noted once, apart from a change of other limits', async () => {
  const { save, limit, events } = await someOwner()
  await save(someKeyOf('good'))
  for (const paused of [true, true, false, false]) await limit('openai', { paused })
  await limit('openai', { callers: ['binding:chat'], expires_at: null })
  const all = await events()
  expect(kinds(all)).toEqual(['saved', 'paused', 'resumed', 'limits_changed'])
  await limit('openai', { callers: null, paused: true })
  await limit('openai', { callers: null, paused: true })
  expect(kinds((await events()).slice(all.length))).toEqual(['paused'])
  await limit('openai', { callers: ['binding:chat'] })
  expect(kinds((await events()).slice(5))).toEqual(['limits_changed'])
})

it('notes no event for a change that does not happen', async () => {
  const { put, remove, limit, assign, events } = await someOwner()
  await remove('openai')
  await limit('openai', { paused: true })
  await put('openai', '')
  await assign('openai')
  expect(await events()).toEqual([])
})

it('an imported key is one event, even if it is imported again', async () => {
  const { userId, events } = await someOwner()
  const key = { userId, provider: 'openai', token: 'gAAAAA', savedAt: '2026-01-01T00:00:00.000Z' }
  for (const keys of [[key], [key]]) await importRows(env.DB, keys)
  expect(await events()).toMatchObject([{ provider: 'openai', by: 'import', event: 'imported' }])
})

it.for([
  ['an hour ahead', HOUR_MS],
  ['an hour behind', -HOUR_MS],
  ['a day ahead', 24 * HOUR_MS],
  ['a year behind', -365 * 24 * HOUR_MS],
] as const)('orders events by the clock of D1 if that of a Worker is %s', async ([, ahead]) => {
  vi.useFakeTimers({ toFake: ['Date'] })
  const started = new Date(Date.now()).toISOString()
  const userId = await someKeyUser(someKey())
  const token = await mintToken({ sub: userId, exp: 9_999_999_999 })
  vi.setSystemTime(Date.now() + ahead)
  await call('DELETE', slotPath(userId, 'openai'), { token })
  vi.setSystemTime(started)
  const path = `${slotPath(userId, 'openai')}?verify=false`
  await call('PUT', path, { token, body: { api_key: someKey() } })
  const maxUses = { count: 1, per: 'day' } as const
  await setLimits(await ownerOf(userId), 'openai', { condition: null, maxUses })
  vi.useRealTimers()
  const { results: rows } = await env.DB.prepare(
    'SELECT day, id, event FROM api_key_events WHERE user_id = ?1 ORDER BY id',
  )
    .bind(userId)
    .all<{ day: string; id: string; event: string }>()
  expect(rows.map(({ event }) => event)).toEqual(['saved', 'deleted', 'saved', 'limits_changed'])
  const days = [started.slice(0, 10), new Date().toISOString().slice(0, 10)]
  for (const { day, id } of rows) {
    expect(id.slice(0, 10)).toBe(day)
    expect(days).toContain(day)
  }
})

it('reads the events of a provider with those of all its slots, or those of one slot', async () => {
  const userId = await someUser()
  const names = ['openai', 'openai:work', 'openai:工作', 'openai-eu', 'openai-eu:work', 'acme', '*']
  await runBatch(
    env.DB,
    names.map((provider) =>
      noteEvent({ userId, provider, event: 'viewed', by: { kind: 'owner' } }),
    ),
  )
  const readOf = async (...slot: string[]) => {
    const range = { before: LATEST, from: '', slot, limit: 50 }
    const { results } = await run(env.DB, selectEvents(userId, range))
    return results.map(({ provider }) => provider).toSorted()
  }
  expect(await readOf('openai')).toEqual(['openai', 'openai:work', 'openai:工作'])
  expect(await readOf('openai:work', '*')).toEqual(['*', 'openai:work'])
  expect(await readOf('openai:wor', '%', 'ope_ai')).toEqual([])
})

it('finds the events of a slot since a time, of today or yesterday, with their marks', async () => {
  const [userId, mark] = [await someUser(), 'a-mark-of-16-ch.']
  const slot = { userId, provider: 'openai' }
  const event = { ...slot, event: 'saved', by: { kind: 'owner' } } as const
  const [first] = await read(noteEvent({ ...event, mark }))
  if (first === undefined) throw new Error('The event is missing')
  expect(first.id.endsWith(`.${mark}`)).toBe(true)
  const since = first.id.slice(0, 24)
  const find = async (time: string, changes: Partial<typeof slot> = {}) =>
    read(selectEventsSince({ ...slot, ...changes }, time))
  expect(await find(since)).toEqual([first])
  expect(await find('2999')).toEqual([])
  expect(await find(since, { provider: 'acme' })).toEqual([])
  expect(await find(since, { userId: await someUser() })).toEqual([])
  for (const [days, found] of [
    [1, 1],
    [2, 0],
  ] as const) {
    const age = `UPDATE api_key_events SET day = date('now', '-${days} day') WHERE user_id = ?1`
    await env.DB.prepare(age).bind(userId).run()
    expect(await find(since)).toHaveLength(found)
  }
})

it('notes an event if the change before it changed a row', async () => {
  const userId = await someKeyUser(someKey())
  const event = { userId, provider: 'openai', event: 'paused', by: { kind: 'owner' } } as const
  const pause = async (provider: string) => {
    const sql = "UPDATE api_keys SET paused_at = '2026' WHERE user_id = ?1 AND provider = ?2"
    const change: Statement = { sql, values: [userId, provider] }
    return (await runBatch(env.DB, noted(change, event)))[1]?.results.length
  }
  expect([await pause('openai'), await pause('acme')]).toEqual([1, 0])
})

it('reads the events of one user and no others, with one round trip', async () => {
  const { userId, token } = await someHistory(20)
  await someHistory(300)
  let [trips, rows] = [0, 0]
  const DB = interceptD1(async (trip) => {
    trips += 1
    const results = await trip()
    if (Array.isArray(results)) for (const { meta } of results) rows += meta.rows_read
    return results
  })
  await call('GET', `${eventsPath(userId)}?limit=200`, { token, env: { DB } })
  expect(trips).toBe(1)
  const count = env.DB.prepare('SELECT count(DISTINCT day) AS n FROM api_key_events')
  // A row for each event, and up to four for each day that has events.
  expect(rows).toBeLessThan(20 + 4 * Number(await count.first('n')))
})

it('deletes the events of a user with the user, and no others', async () => {
  const { userId, save, use, bound } = await someOwner()
  const { userId: other, save: saveOther } = await someOwner()
  await save(someKeyOf('good'))
  await saveOther(someKeyOf('good'))
  await use()
  await bound(async (binding) => binding.deleteUser(userId))
  expect([await storedEvents(userId), await storedEvents(other)]).toEqual([0, 1])
})

it('deletes at most 5,000 events of the days before one, the oldest first', async () => {
  const userId = await someUser()
  await env.DB.prepare(
    `WITH RECURSIVE numbers (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM numbers WHERE n < 5001)
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     SELECT date('2001-01-01', n || ' days'), ?1, n, 'openai', 'saved', 'owner' FROM numbers`,
  )
    .bind(userId)
    .run()
  const last = env.DB.prepare(
    `SELECT min(day) AS first, max(day) AS last, count(*) AS left
     FROM api_key_events WHERE user_id = ?1`,
  ).bind(userId)
  await run(env.DB, deleteEvents('2014-09-11'))
  expect(await last.first()).toEqual({ first: '2014-09-10', last: '2014-09-11', left: 2 })
  await run(env.DB, deleteEvents('2014-09-11'))
  expect(await last.first()).toMatchObject({ first: '2014-09-11', left: 1 })
})

it('no event, cell or log line holds a key', async () => {
  const logs = recordLogs()
  const key = someKeyOf('good')
  const { userId, save, remove, limit, verify, use, events } = await someOwner()
  await save(key)
  await use()
  await verify('openai')
  await limit('openai', { paused: true })
  await use()
  await remove('openai')
  const { results } = await env.DB.prepare('SELECT * FROM api_key_events WHERE user_id = ?1')
    .bind(userId)
    .all()
  expect(results.length).toBeGreaterThan(5)
  const everything = JSON.stringify([results, await events()]) + logs.text()
  for (const part of [key, key.slice(0, 12), key.slice(-8)]) expect(everything).not.toContain(part)
})

/** Adds events of today, up to the number that a user can have in a day, but for `left`. */
async function fillDay(userId: string, left: number, event = 'saved'): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor, request_id)
     SELECT date('now'), ?1, strftime('%Y-%m-%dT%H:%M:%fZ', 'now') || '.' || printf('%016d', i),
       'openai', ?3, 'owner', '8f0a1b2c3d4e5f60-FRA' FROM n`,
  )
    .bind(userId, MAX_EVENTS_A_DAY - left, event)
    .run()
}

it('a user has at most 10,000 events in a day, and can still pause and delete the key', async () => {
  const { userId, save, limit, put, verify, assign, putPlain, remove } = await someOwner()
  expect((await save('sk-1')).status).toBe(200)
  await putPlain('sk-2')
  await fillDay(userId, 2)
  expect(await storedEvents(userId)).toBe(MAX_EVENTS_A_DAY)
  const refused = [
    await save('sk-3'),
    await limit('openai', { callers: [] }),
    await put('openai', someKeyOf('bad')),
    await verify('openai'),
    await assign('anthropic', '?verify=false'),
  ]
  expect((await limit('openai', { paused: true })).status).toBe(200)
  refused.push(await limit('openai', { paused: false }))
  for (const answer of refused) {
    expect(answer).toMatchObject({ status: 429, body: { code: 'rate_limited' } })
  }
  expect((await remove('openai')).status).toBe(200)
  expect(await storedEvents(userId)).toBe(MAX_EVENTS_A_DAY + 2)
})

it('the sums of many members do not keep an admin of their team from saving', async () => {
  const { userId, save } = await someOwner()
  await fillDay(userId, 0)
  const sums = `UPDATE api_key_events SET event = 'used', hours = '{}' WHERE user_id = ?1`
  await env.DB.prepare(sums).bind(userId).run()
  expect((await save('sk-1')).status).toBe(200)
})

it('callers have at most 10,000 looks in a day, and the owner can save all the same', async () => {
  const { userId, save } = await someOwner()
  await save('sk-1')
  await fillDay(userId, 2, 'viewed')
  const vault = bindTo({ ALLOW_REVEAL: 'true' })
  expect(await vault.listSlots(userId)).toMatchObject({ ok: true })
  expect(await vault.getDecryptedApiKey(userId, 'openai')).toMatchObject({ apiKey: 'sk-1' })
  const refusal = { ok: false, code: 'rate_limited', retryAfter: expect.any(Number) }
  expect(await vault.listSlots(userId)).toEqual(refusal)
  expect(await vault.listEvents(userId)).toEqual(refusal)
  expect(await vault.getDecryptedApiKey(userId, 'openai')).toEqual(refusal)
  expect((await save('sk-2')).status).toBe(200)
  expect(await storedEvents(userId)).toBe(MAX_EVENTS_A_DAY + 2)
})

it('callers can look although the owner has 10,000 events of the day', async () => {
  const { userId, save } = await someOwner()
  await save('sk-1')
  await fillDay(userId, 1)
  expect((await save('sk-2')).status).toBe(429)
  expect(await bindTo().listSlots(userId)).toMatchObject({ ok: true })
})

it('a refusal for too many events keeps the key, and says to try again after midnight', async () => {
  const { userId, token, save, stored } = await someOwner()
  await save('sk-1')
  await fillDay(userId, 1)
  const body = { api_key: 'sk-2' }
  const response = await call('PUT', `${slotPath(userId, 'openai')}?verify=false`, { token, body })
  expect(response.status).toBe(429)
  const seconds = Number(response.headers.get('Retry-After'))
  expect(Date.now() + seconds * 1_000).toBeGreaterThan(new Date().setUTCHours(23, 59, 58))
  expect(await stored('openai')).toBe('sk-1')
})

it.for([
  ['a UUID', '', 36, 250],
  ['2,000 letters', 'u', 2_000, 5_000],
  ['2,000 Chinese characters', '字', 2_000, 9_000],
] as const)(
  'an event of a user id of %s takes no more bytes than is documented',
  async ([, ...id]) => {
    const [character, length, bytes] = id
    const userId = await someUser(crypto.randomUUID().padEnd(length, character))
    const size = async () => (await env.DB.prepare('SELECT 1').run()).meta.size_after
    const before = await size()
    await fillDay(userId, 0)
    expect(((await size()) - before) / MAX_EVENTS_A_DAY).toBeLessThan(bytes)
  },
)

const AT = '2026-11-25T12:00:00.000Z'
const LATER = '2026-11-25T12:59:00.000Z'

const EVENT = someEventRow({ id: `${AT}.0123456789abcdef` })
const SHOWN = { id: EVENT.id, provider: 'openai', event: 'saved', by: 'owner', at: AT }

it.for<[name: string, row: Partial<EventRow>, fields: object]>([
  ['an event, with the time of its id', {}, {}],
  [
    'a sum of uses, with its times and counts',
    { actor: 'caller', caller: 'binding:chat', firstAt: AT, lastAt: LATER, count: 3, errors: 1 },
    { by: 'caller', caller: 'binding:chat', last_at: LATER, count: 3, errors: 1 },
  ],
  [
    'all that is known of an event',
    { code: 'api_key_rejected', verdict: 'refused', providerStatus: 401, requestId: '8f0-FRA' },
    {
      code: 'api_key_rejected',
      verdict: 'refused',
      provider_status: 401,
      request_id: '8f0-FRA',
    },
  ],
])('shows %s', ([, row, fields]) => {
  expect(describeEvent({ ...EVENT, ...row })).toEqual({ ...SHOWN, ...fields })
})
