/** Which keys and users of a restored D1 are gone, and what their deletion notes. */

import { env } from '../isolate.ts'
import { expect, it } from 'vitest'
import { deletionHooks } from '../../src/keys/deletion-hooks.ts'
import { runBatch } from '../../src/store/d1.ts'
import { deleteRestored } from '../../src/store/restored-keys.ts'
import { identitiesOf, rowsOf, userIdentityOf } from '../keys/restoration.ts'
import { someUser } from '../support.ts'

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
  const results = await runBatch(env.DB, deleteRestored(identities, deletionHooks(isImporting)))
  return {
    events: results[0].results.map(({ userId, provider, event }) => ({ userId, provider, event })),
    keys: results.at(-4)?.results ?? [],
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

it('a deletion is noted for imports while users move in', async () => {
  const { userId, openai } = await someHeld()
  await deleteGone([openai], true)
  expect((await stateOf(userId)).imports).toEqual(['openai'])
})

it('a deletion is noted for imports if an import brought the key', async () => {
  const { userId, acme, openai } = await someHeld()
  const brought = "INSERT INTO imported_keys VALUES (?1, 'openai', '2026-01-01')"
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
  expect(await stateOf(userId)).toEqual({ users: 0, slots: [], events: [], imports: [''] })
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
