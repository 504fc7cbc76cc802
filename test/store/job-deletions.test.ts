/** What jobs delete: a key that has expired, some days later, and what a restored D1 has again. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { openService } from '../../src/service.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import {
  DELETED_AT_ONCE,
  deleteExpired,
  NOTED_AT_ONCE,
  noteExpirations,
  deleteRestored,
  selectRestored,
} from '../../src/store/job-deletions.ts'
import { emptyVault, env } from '../isolate.ts'
import { someKeyOf, kinds, someOwner, time } from '../keys/key-owner.ts'
import { interceptD1, recordLogs, someUser, slotPath } from '../support.ts'
import { deletionHooks, withUserHooks } from '../../src/keys/deletion-hooks.ts'
import { identitiesOf, rowsOf, userIdentityOf } from '../keys/restoration.ts'

const DAY_MS = 24 * 60 * 60 * 1000

const MOMENTS = [
  '2026-11-25T23:59:59.999Z',
  '2026-11-26T00:00:00.000Z',
  '2027-03-28T01:00:00.000Z',
  '2028-02-29T00:00:00.000Z',
  '2028-02-29T23:59:59.999Z',
  '2038-01-19T03:14:08.000Z',
  '2100-03-01T00:00:00.000Z',
]

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

/** A user with a key that expires. Nobody opens it. */
async function someExpiring(expiresAt: string) {
  const userId = crypto.randomUUID()
  const insertKey = `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, expires_at)
    VALUES (?1, 'openai', 'v1.sealed', 'kid', ?2)`
  await env.DB.batch([
    env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(userId),
    env.DB.prepare(insertKey).bind(userId, expiresAt),
  ])
  return userId
}

it.for(MOMENTS)('notes once that a key expires, from the millisecond on: %s', async (expiresAt) => {
  const userId = await someExpiring(expiresAt)
  const noted = async (later: number) => {
    vi.setSystemTime(Date.parse(expiresAt) + later)
    await deleteExpiredKeys(await openService(env))
    const { results } = await env.DB.prepare(
      "SELECT day, id FROM api_key_events WHERE user_id = ?1 AND event = 'expired'",
    )
      .bind(userId)
      .all()
    return results
  }
  const id = expect.stringMatching(new RegExp(`^${expiresAt}\\.[0-9a-f]{8}$`))
  const event = { day: expiresAt.slice(0, 10), id }
  expect([await noted(-1), await noted(0), await noted(DAY_MS - 1)]).toEqual([[], [event], [event]])
})

it.for([
  ...MOMENTS.map((moment) => ['1', moment] as const),
  ['0', '2026-11-25T23:59:59.999Z'],
  ['0', '2028-02-29T00:00:00.000Z'],
  ['30', '2026-11-25T23:59:59.999Z'],
  ['30', '2028-02-29T00:00:00.000Z'],
] as const)('deletes a key %s days and a millisecond after %s', async ([days, expiresAt]) => {
  recordLogs()
  const userId = await someExpiring(expiresAt)
  const service = await openService({ ...env, EXPIRED_KEPT_DAYS: days })
  const left = async (later: number) => {
    vi.setSystemTime(Date.parse(expiresAt) + Number(days) * DAY_MS + later)
    await deleteExpiredKeys(service)
    const rows = 'SELECT count(*) AS n FROM api_keys WHERE user_id = ?1'
    return env.DB.prepare(rows).bind(userId).first('n')
  }
  expect([await left(0), await left(1)]).toEqual([1, 0])
})

it('notes an expiry at its time and a deletion at D1’s, once each', async () => {
  vi.useRealTimers()
  const { userId, request, events } = await someOwner()
  const expires_at = new Date(Date.now() + 60_000).toISOString()
  const body = { api_key: someKeyOf('good'), expires_at }
  await request('PUT', `${slotPath(userId, 'openai')}?verify=false`, body)
  const past = new Date(Date.now() - 60_000).toISOString()
  const expire = 'UPDATE api_keys SET expires_at = ?2 WHERE user_id = ?1'
  await env.DB.prepare(expire).bind(userId, past).run()
  const service = await openService(env)
  await deleteExpiredKeys(service)
  await deleteExpiredKeys(service)
  const byJob = { provider: 'openai', by: 'job' }
  const id = expect.any(String)
  expect((await events())[0]).toEqual({ ...byJob, id, event: 'expired', at: past })
  recordLogs()
  await deleteExpiredKeys(await openService({ ...env, EXPIRED_KEPT_DAYS: '0' }))
  expect((await events()).at(-1)).toEqual({ ...byJob, id, event: 'deleted', at: time })
  expect(kinds(await events()).toSorted()).toEqual(['deleted', 'expired', 'saved'])
})

/** A user with a key in each of the slots, which expires then. @returns the user id */
async function someSlots(expiries: readonly (string | null)[]) {
  const slots = expiries.map((expiresAt, index) => [`slot-${index}`, expiresAt])
  const userId = await someUser()
  await env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, expires_at)
     SELECT ?1, value ->> 0, 'v1.sealed', 'kid', value ->> 1 FROM json_each(?2)`,
  )
    .bind(userId, JSON.stringify(slots))
    .run()
  return userId
}

it('a key that has moved after its expiry is not noted again', async () => {
  const userId = await someSlots(['2026-01-01T00:00:00.000Z'])
  const note = async () => (await runBatch(env.DB, noteExpirations('2026-02')))[0].results.length
  const move = "UPDATE api_keys SET provider = 'openai' WHERE user_id = ?1"
  const before = await note()
  await env.DB.prepare(move).bind(userId).run()
  expect([before, await note()]).toEqual([1, 0])
})

it.for<[what: string, change: string, events: number]>([
  ['another expiry that has passed', "expires_at = '2026-01-02', expiry_noted = 0", 1],
  ['the expiry that was noted', 'uses = 0', 0],
])('a key with %s is noted again: %s', async ([, change, events]) => {
  await emptyVault()
  await someSlots(['2026-01-01T00:00:00.000Z'])
  await runBatch(env.DB, noteExpirations('2026-02'))
  await env.DB.prepare(`UPDATE api_keys SET ${change}`).run()
  expect((await runBatch(env.DB, noteExpirations('2026-02')))[0].results).toHaveLength(events)
})

it('notes the keys that expired first, and no more than it returns', async () => {
  await emptyVault()
  const times = Array.from({ length: NOTED_AT_ONCE + 2 }, (_, index) => `${1_000 + index}`)
  await someSlots(times.toReversed())
  const note = async () => (await runBatch(env.DB, noteExpirations('3')))[0].results
  const first = (await note()).map(({ id }) => id.slice(0, 4)).toSorted()
  expect([first.length, first[0], first.at(-1)]).toEqual([NOTED_AT_ONCE, '1000', '1999'])
  expect((await note()).length).toBe(2)
  expect((await note()).length).toBe(0)
})

it('reads no key that does not expire, expires later, or was noted and is kept', async () => {
  await emptyVault()
  await someSlots(Array.from({ length: 40 }, () => null))
  await someSlots(Array.from({ length: 40 }, () => '2999-01-01T00:00:00.000Z'))
  await someSlots(Array.from({ length: 40 }, () => new Date(Date.now() - 1_000).toISOString()))
  await runBatch(env.DB, noteExpirations(new Date().toISOString()))
  let read = 0
  const DB = interceptD1(async (trip) => {
    const results = await trip()
    if (Array.isArray(results)) for (const { meta } of results) read += meta.rows_read
    return results
  })
  await deleteExpiredKeys(await openService({ ...env, DB }))
  expect(read).toBeLessThan(20)
})

const ANY = { before: '2', defaultProvider: null, hooks: [] }
const remove = async (changes: Partial<typeof ANY> | { defaultProvider: string } = {}) =>
  (await runBatch(env.DB, deleteExpired({ ...ANY, ...changes }))).at(-1)?.results ?? []

it('deletes the keys that expired first, and no more than a run takes', async () => {
  await emptyVault()
  const times = Array.from({ length: DELETED_AT_ONCE + 2 }, (_, index) => `${1_000 + index}`)
  await someSlots(times.toReversed())
  await runBatch(env.DB, noteExpirations('3'))
  expect(await remove()).toHaveLength(DELETED_AT_ONCE)
  const { results } = await env.DB.prepare('SELECT expires_at FROM api_keys ORDER BY 1').all()
  expect(results.map((row) => row['expires_at'])).toEqual(times.slice(-2))
})

it('does not delete a key whose expiry the trail does not know', async () => {
  await emptyVault()
  await someSlots(['1'])
  expect(await remove()).toEqual([])
  await runBatch(env.DB, noteExpirations('3'))
  expect(await remove()).toHaveLength(1)
})

it.for<[defaultProvider: string | null, rows: string[], deleted: string[]]>([
  [null, ['default', 'openai'], ['default', 'openai']],
  ['openai', ['default', 'openai', 'acme'], ['acme']],
  ['openai', ['default', 'acme'], ['acme', 'default']],
  ['openai', ['openai'], ['openai']],
  ['mistral', ['default', 'openai'], ['default', 'openai']],
])(
  'deletes with DEFAULT_PROVIDER %s of the expired keys in %j those in %j',
  async ([defaultProvider, providers, deleted]) => {
    await emptyVault()
    const userId = await someUser()
    const add = env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, expires_at, expiry_noted)
       VALUES (?1, ?2, 'v1.sealed', 'kid', '1', 1)`,
    )
    await env.DB.batch(providers.map((provider) => add.bind(userId, provider)))
    const isDefault = defaultProvider === null ? {} : { defaultProvider }
    const gone = await remove(isDefault)
    expect(gone.map(({ provider }) => provider).toSorted()).toEqual(deleted)
  },
)

/** A user with a key in two slots, each under a kid of its own, and with an event. */
async function someHeld() {
  const userId = await someUser()
  const addKey = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id) VALUES (?1, ?2, 'sealed', ?3)`,
  )
  await env.DB.batch([
    ...['acme', 'openai'].map((provider) => addKey.bind(userId, provider, crypto.randomUUID())),
    env.DB.prepare(
      `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
       VALUES ('2026-01-01', ?1, '2026-01-01T00:00:00.000Z.1', 'openai', 'saved', 'owner')`,
    ).bind(userId),
  ])
  const [acme = '', openai = ''] = await identitiesOf(userId)
  return { userId, acme, openai, user: await userIdentityOf(userId) }
}

/** Deletes what is gone, as the job does. @returns what was deleted and noted */
async function deleteGone(identities: readonly string[], isImporting = false) {
  const userIds = (await run(env.DB, selectRestored(identities))).results.map(({ id }) => id)
  const results = await withUserHooks(env.DB, { userIds, isImporting }, async (hooks) =>
    runBatch(env.DB, deleteRestored(identities, hooks)),
  )
  return {
    events: results[0].results.map(({ userId, provider, event }) => ({ userId, provider, event })),
    keys: results.at(-5)?.results ?? [],
    users: results.at(-1)?.results ?? [],
  }
}

async function stateOf(userId: string) {
  const read = async (sql: string) =>
    (await rowsOf(sql, userId)).map((row) => Object.values(row)[0])
  return {
    users: (await read('SELECT id FROM users WHERE id = ?1')).length,
    slots: await read('SELECT provider FROM api_keys WHERE user_id = ?1 ORDER BY 1'),
    events: await read('SELECT event FROM api_key_events WHERE user_id = ?1 ORDER BY id'),
    imports: await read('SELECT provider FROM imported_keys WHERE user_id = ?1 ORDER BY 1'),
  }
}

it('a key that is gone is deleted, and the deletion noted', async () => {
  const { userId, openai } = await someHeld()
  expect(await deleteGone([openai, 'another'])).toEqual({
    events: [{ userId, provider: 'openai', event: 'deleted' }],
    keys: [{ userId, provider: 'openai' }],
    users: [],
  })
  expect(await stateOf(userId)).toEqual({
    users: 1,
    slots: ['acme'],
    events: ['saved', 'deleted'],
    imports: [],
  })
})

it('a deletion is noted for imports while imported rows are expected', async () => {
  const { userId, openai } = await someHeld()
  await deleteGone([openai], true)
  expect((await stateOf(userId)).imports).toEqual(['openai'])
})

it('a deletion is noted for imports if an import brought the key', async () => {
  const { userId, acme, openai } = await someHeld()
  const brought =
    "INSERT INTO imported_keys (user_id, provider, saved_at) VALUES (?1, 'openai', '2026-01-01')"
  await rowsOf(brought, userId)
  await deleteGone([acme, openai])
  const [mark] = await rowsOf('SELECT * FROM imported_keys WHERE user_id = ?1', userId)
  expect((await stateOf(userId)).imports).toEqual(['openai'])
  expect(mark?.['saved_at']).not.toBe('2026-01-01')
})

it('keys of the same user that are all gone are noted once each', async () => {
  const { userId, acme, openai } = await someHeld()
  const { events, keys } = await deleteGone([openai, acme])
  expect([events.length, keys.length]).toEqual([2, 2])
  expect(await stateOf(userId)).toMatchObject({ users: 1, slots: [] })
})

it('nothing happens if nothing that is gone is there', async () => {
  const { userId } = await someHeld()
  const before = await stateOf(userId)
  expect(await deleteGone(['another', userId])).toEqual({ events: [], keys: [], users: [] })
  expect(await stateOf(userId)).toEqual(before)
})

it('a user who is gone is deleted with all keys and events', async () => {
  const { userId, user } = await someHeld()
  const { userId: other } = await someHeld()
  expect(await deleteGone([user], true)).toMatchObject({ users: [{ userId }] })
  expect(await stateOf(userId)).toEqual({ users: 0, slots: [], events: [], imports: [] })
  expect(await rowsOf('SELECT * FROM removed_users')).toHaveLength(1)
  expect(await stateOf(other)).toMatchObject({ users: 1, slots: ['acme', 'openai'] })
})

it('a user whose keys are gone stays', async () => {
  const { userId, acme, openai } = await someHeld()
  expect(await deleteGone([acme, openai])).toMatchObject({ users: [] })
  expect(await stateOf(userId)).toMatchObject({ users: 1, slots: [] })
})

it('reads a few rows for each identity, and not the whole table', async () => {
  const { openai } = await someHeld()
  await rowsOf(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
     INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
     SELECT ?1, 'slot-' || i, 'sealed', 'kid' FROM n`,
    await someUser(),
  )
  const kids = (await rowsOf('SELECT DISTINCT key_id FROM api_keys')).length
  const results = await runBatch(env.DB, deleteRestored([openai], deletionHooks(true)))
  const read = results.reduce((sum, { meta }) => sum + meta.rows_read, 0)
  expect(read).toBeLessThan(60 * kids)
})
