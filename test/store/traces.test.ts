/** Which rows name an owner is counted, table by table. */

import { beforeEach, expect, it } from 'vitest'
import { teamOwner } from '../../src/shared/owner.ts'
import { runBatch } from '../../src/store/d1.ts'
import { countTraces } from '../../src/store/traces.ts'
import { readTables } from '../all-stored.ts'
import { emptyVault, env } from '../isolate.ts'
import { rowsOf } from '../keys/restoration.ts'
import { someUser } from '../support.ts'

beforeEach(emptyVault)

const traces = async (userId: string, hmac: string | null = 'an HMAC') => {
  const found = await runBatch(env.DB, countTraces(userId, hmac))
  return Object.fromEntries(
    found.flatMap(({ results }) => results.map((row) => [row.place, row.rows])),
  )
}

/** They hold random ids, or the names of migrations. */
const NAMELESS = ['d1_migrations', 'gone_keys', 'heartbeat', 'import_secret', 'recheck']

it('each table is counted, or holds no user id', async () => {
  const tables = [...(await readTables()).keys()]
  expect([...Object.keys(await traces('ann')), ...NAMELESS].toSorted()).toEqual(tables.toSorted())
})

it('the rows that name an owner are counted, and no others', async () => {
  const insert = async (userId: string) => {
    await someUser(userId)
    await rowsOf(
      "INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, 'x', 'a')",
      userId,
    )
    await rowsOf("INSERT INTO member_uses VALUES (?1, 'default', 'random', '2026', 1, '')", userId)
    await rowsOf(
      "INSERT INTO imported_keys (user_id, provider, saved_at) VALUES (?1, 'openai', ''), (?1, 'acme', '')",
      userId,
    )
    for (const day of ['2026-01-01', '2026-01-02', '2026-03-01']) {
      const event = `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
        VALUES (?2, ?1, ?2, 'openai', 'saved', 'owner')`
      // oxlint-disable-next-line no-await-in-loop -- one day after the other
      await rowsOf(event, userId, day)
    }
  }
  await insert('ann')
  await insert('ben')
  await insert(teamOwner('ann'))
  await rowsOf("INSERT INTO removed_users VALUES ('an HMAC'), ('another one')")
  await rowsOf(
    `INSERT INTO rewrap (id, keyring, revision, after_user_id, counts, started_at, moved_at)
     VALUES (1, 'a', 1, 'ann', '{}', '2026', '2026')`,
  )
  const both = { users: 1, api_keys: 1, member_uses: 1, api_key_events: 3, imported_keys: 2 }
  expect(await traces('ann')).toEqual({ ...both, removed_users: 1, rewrap: 1 })
  expect(await traces('ben', 'not noted')).toEqual({ ...both, removed_users: 0, rewrap: 0 })
  expect(await traces(teamOwner('ann'), null)).toEqual({ ...both, removed_users: 0, rewrap: 0 })
  expect(Object.values(await traces('eve', null))).toEqual([0, 0, 0, 0, 0, 0, 0])
})

it('a few rows are read although others have many events', async () => {
  await rowsOf(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     SELECT '2026-01-0' || (1 + i % 3), 'user-' || i, i, 'openai', 'saved', 'owner' FROM n`,
  )
  const found = await runBatch(env.DB, countTraces('user-7', null))
  expect(found.reduce((sum, { meta }) => sum + meta.rows_read, 0)).toBeLessThan(50)
})
