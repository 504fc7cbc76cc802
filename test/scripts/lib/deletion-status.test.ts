import { expect, it } from 'vitest'
import { findDeletionNotes } from '../../../scripts/lib/deletion-status.ts'
import { useDatabase } from '../database.ts'

const database = useDatabase()

const beat = (at: string) => `UPDATE heartbeat SET at = ${at}`
const FRESH = beat("strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
const GONE = "INSERT INTO gone_keys (cause, identity) VALUES ('request', 'a'), ('', 'b')"
const notes = async (remote = false) => findDeletionNotes(database.db, { remote })
const NONE = { faults: [], waiting: [] }
/** Tombstones that somebody has written by SQL. */
const unexplained = (count: number) =>
  `INSERT INTO gone_keys (identity)
   WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n`

it('says nothing of a vault that has no second store', async () => {
  await database.query(GONE)
  expect(await notes()).toEqual(NONE)
})

it('says nothing if the job has just copied every deletion', async () => {
  await database.query(FRESH)
  expect(await notes()).toEqual(NONE)
})

it('says how many deletions the second store does not know', async () => {
  await database.query(FRESH, GONE)
  const say = (deletions: string) =>
    `The second store does not know of ${deletions} yet. Wait a minute before you restore the database.`
  expect(await notes()).toEqual({ faults: [], waiting: [say('2 deletions')] })
  await database.query("DELETE FROM gone_keys WHERE identity = 'a'")
  expect(await notes()).toEqual({ faults: [], waiting: [say('1 deletion')] })
})

it('says that a database with an old heartbeat was restored, or that the job does not run', async () => {
  await database.query(beat("'2026-01-01T00:00:00.000Z'"), GONE)
  expect(await notes()).toEqual({
    faults: [
      'The database was restored, or the job has not run since 2026-01-01T00:00:00.000Z. ' +
        'Until it runs, each use of a key asks the second store.',
    ],
    waiting: [],
  })
})

it('says that more than 1,000 tombstones without a cause are held, and how to confirm them', async () => {
  await database.query(FRESH, unexplained(1_000))
  const waiting = [expect.stringContaining('does not know of 1,000 deletions')]
  expect(await notes()).toEqual({ faults: [], waiting })
  await database.query("INSERT INTO gone_keys (cause, identity) VALUES ('', 'x'), ('expiry', 'y')")
  const { faults, ...others } = await notes(true)
  const [held = ''] = faults
  expect(held).toMatch(
    /^gone_keys has 1,001 tombstones that the vault did not write\. They are held/,
  )
  expect(held).toMatch(/npm run keys -- deletions --confirm --remote$/)
  expect([faults.length, others]).toEqual([1, { waiting: [] }])
})
