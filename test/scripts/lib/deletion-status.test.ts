import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { findDeletionNotes } from '../../../scripts/lib/deletion-status.ts'
import { startDatabase, type TestDatabase } from '../database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await startDatabase()
})
afterAll(async () => database.close())
beforeEach(async () => database.empty())

const beat = (at: string) => `UPDATE heartbeat SET at = ${at}`
const GONE = `INSERT INTO gone_keys (gone_at, user_id, provider, version)
  VALUES ('2026', 'ann', 'openai', '1'), ('2026', 'bob', '', '')`

it('says nothing of a vault that has no second store', async () => {
  await database.query(GONE)
  expect(await findDeletionNotes(database.db)).toEqual([])
})

it('says nothing if the job has just copied every deletion', async () => {
  await database.query(beat("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"))
  expect(await findDeletionNotes(database.db)).toEqual([])
})

it('says how many deletions the second store does not know', async () => {
  await database.query(beat("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"), GONE)
  expect(await findDeletionNotes(database.db)).toEqual([
    'The second store does not know of 2 deletions yet. Wait a minute before you restore the database.',
  ])
})

it('says that a database with an old heartbeat was restored, or that the job does not run', async () => {
  await database.query(beat("'2026-01-01T00:00:00.000Z'"))
  expect(await findDeletionNotes(database.db)).toEqual([
    'The database was restored, or the job has not run since 2026-01-01T00:00:00.000Z. ' +
      'Until it runs, each use of a key asks the second store.',
  ])
})
