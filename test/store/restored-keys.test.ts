/** Which keys and users of a restored D1 are gone, and what their deletion notes. */

import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import type { GoneKey } from '../../src/shared/gone-key.ts'
import { runBatch } from '../../src/store/d1.ts'
import { toGoneKeys } from '../../src/store/gone-keys.ts'
import {
  deleteRestoredEvents,
  deleteRestoredKeys,
  deleteRestoredUsers,
  noteRestoredEvents,
  noteRestoredImports,
  noteRestoredKids,
} from '../../src/store/restored-keys.ts'
import { rowsOf } from '../keys/restoration.ts'

const ROW = { provider: 'openai', version: 'v', createdAt: '1', userCreatedAt: '1' }

/** A user with a key under a kid of its own, which is settled, and with an event. */
async function someHeld(changes: Partial<typeof ROW> = {}) {
  const { provider, version, createdAt, userCreatedAt } = { ...ROW, ...changes }
  const [userId, kid] = [crypto.randomUUID(), crypto.randomUUID()]
  const add = (sql: string, ...values: string[]) => env.DB.prepare(sql).bind(...values)
  await env.DB.batch([
    add("INSERT INTO key_ids (key_id, state) VALUES (?1, 'settled')", kid),
    add('INSERT INTO users (id, created_at) VALUES (?1, ?2)', userId, userCreatedAt),
    add(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at, created_at)
       VALUES (?1, ?2, 'sealed', ?3, ?4, ?5)`,
      userId,
      provider,
      kid,
      version,
      createdAt,
    ),
    add(
      `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
       VALUES ('2026-01-01', ?1, '2026-01-01T00:00:00.000Z.1', ?2, 'saved', 'owner')`,
      userId,
      provider,
    ),
  ])
  return { userId, kid }
}

/** Deletes what is gone, as the job does. @returns how many keys and users were deleted */
async function deleteGone(gone: readonly GoneKey[]) {
  const keys = toGoneKeys(gone)
  const results = await runBatch(env.DB, [
    noteRestoredKids(keys),
    noteRestoredEvents(keys),
    noteRestoredImports(keys),
    deleteRestoredKeys(keys),
    deleteRestoredEvents(keys),
    deleteRestoredUsers(keys),
  ])
  return {
    keys: results[3].results,
    users: results[5].results,
    events: results[1].results.map(({ userId, provider, event }) => ({ userId, provider, event })),
  }
}

async function stateOf(userId: string, kid: string) {
  const read = async (sql: string) =>
    (await rowsOf(sql, userId)).map((row) => Object.values(row)[0])
  return {
    users: (await read('SELECT id FROM users WHERE id = ?1')).length,
    slots: await read('SELECT provider FROM api_keys WHERE user_id = ?1'),
    events: await read('SELECT event FROM api_key_events WHERE user_id = ?1 ORDER BY id'),
    imports: await read('SELECT provider FROM imported_keys WHERE user_id = ?1 ORDER BY 1'),
    kid: (await rowsOf('SELECT state FROM key_ids WHERE key_id = ?1', kid))[0]?.['state'],
  }
}

const goneOf = (userId: string, changes: Partial<GoneKey> = {}): GoneKey => ({
  userId,
  provider: 'openai',
  version: 'v',
  goneAt: '2',
  ...changes,
})
const removalOf = (userId: string, goneAt = '2') =>
  goneOf(userId, { provider: '', version: '', goneAt })

it.for<[name: string, row: Partial<typeof ROW>, gone: Partial<GoneKey>]>([
  ['a key that is gone', {}, {}],
  ['a key that was moved from the default slot before it went', { provider: 'default' }, {}],
  ['a row that was made in the millisecond when the key went', { createdAt: '2' }, {}],
  ['a key in the slot of a removed provider', { provider: 'old' }, { provider: 'old' }],
])('%s is deleted, and the deletion noted', async ([, row, changes]) => {
  const { userId, kid } = await someHeld(row)
  const { provider } = { ...ROW, ...row }
  expect(await deleteGone([goneOf(userId, changes)])).toEqual({
    keys: [{ userId }],
    users: [],
    events: [{ userId, provider, event: 'deleted' }],
  })
  expect(await stateOf(userId, kid)).toEqual({
    users: 1,
    slots: [],
    events: ['saved', 'deleted'],
    imports: [provider],
    kid: 'in_use',
  })
})

it.for<[name: string, row: Partial<typeof ROW>, gone: Partial<GoneKey>]>([
  ['a key of another version', { version: 'w' }, {}],
  ['a key of the same version in another slot', { provider: 'acme' }, {}],
  ['a key that another user has deleted', {}, { userId: 'another' }],
  ['a key that an import has brought back later', { createdAt: '3' }, {}],
])('%s stays, and nothing is noted', async ([, row, changes]) => {
  const { userId, kid } = await someHeld(row)
  const before = await stateOf(userId, kid)
  expect(before).toMatchObject({ events: ['saved'], imports: [], kid: 'settled' })
  const nothing = { keys: [], users: [], events: [] }
  expect(await deleteGone([goneOf(userId, changes)])).toEqual(nothing)
  expect(await stateOf(userId, kid)).toEqual(before)
})

it('a key that is gone from two slots is deleted once', async () => {
  const { userId } = await someHeld({ provider: 'default' })
  const gone = [goneOf(userId), goneOf(userId, { provider: 'acme' })]
  expect(await deleteGone(gone)).toMatchObject({ keys: [{ userId }], events: [{ userId }] })
})

it.for([
  ['before', '2'],
  ['in the millisecond of', '1'],
] as const)(
  'a user who was added %s the removal is deleted with all events',
  async ([, goneAt]) => {
    const { userId, kid } = await someHeld()
    const gone = [removalOf(userId, goneAt), goneOf(userId, { goneAt })]
    expect(await deleteGone(gone)).toMatchObject({ keys: [{ userId }], users: [{ userId }] })
    expect(await stateOf(userId, kid)).toEqual({
      users: 0,
      slots: [],
      events: [],
      imports: ['', 'openai'],
      kid: 'in_use',
    })
  },
)

it('a user who was added again after the removal stays, with the new key', async () => {
  const { userId, kid } = await someHeld({ version: 'new', userCreatedAt: '3' })
  const before = await stateOf(userId, kid)
  const nothing = { keys: [], users: [], events: [] }
  expect(await deleteGone([removalOf(userId), goneOf(userId)])).toEqual(nothing)
  expect(await stateOf(userId, kid)).toEqual(before)
})

it('a user whose key is gone stays', async () => {
  const { userId, kid } = await someHeld()
  await deleteGone([goneOf(userId)])
  expect(await stateOf(userId, kid)).toMatchObject({ users: 1 })
})
