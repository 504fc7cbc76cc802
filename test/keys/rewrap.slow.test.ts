/** Whole passes of the rewrap job over several batches of rows. */

import * as fc from 'fast-check'
import { beforeEach, expect, it } from 'vitest'
import { BATCH_ROWS } from '../../src/keys/rewrap.ts'
import { env } from '../isolate.ts'
import { someEncryptionKey, someKey } from '../support.ts'
import {
  clearRows,
  countStatements,
  cutEachTrip,
  kids,
  openedKeys,
  runJob,
  runPass,
  someKeys,
  storeKeys,
  withKeys,
} from './sealed-rows.ts'

const [OLD, NEW] = [someEncryptionKey(), someEncryptionKey()]
const before = withKeys(OLD)
const after = withKeys(NEW, OLD)
const ROWS = 2 * BATCH_ROWS + 50

beforeEach(clearRows)

it('reseals the rows of several batches in one run', async () => {
  const keys = await someKeys(ROWS, before)
  await runJob(after)
  await runJob(after)
  expect(await openedKeys(withKeys(NEW))).toEqual(keys)
  expect(Object.values(await kids())).toEqual([ROWS])
})

it.for(['before', 'after'] as const)(
  'a run of several batches loses no key if it is cut off %s any of its round trips',
  // Three batches, of three each, after the one that reads the pass.
  async (moment) => {
    const { keys, opened, done } = await cutEachTrip(moment, { rows: ROWS, trips: 10 })
    expect(opened).toEqual(Array.from({ length: 11 }, () => keys))
    expect(done).toBe(ROWS)
  },
)

it('reseals rows whose user ids have any characters', async () => {
  const ids = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), 300)
  const keys = new Map(ids.map((userId) => [userId, someKey()]))
  await storeKeys(keys, before)
  await runPass(after)
  expect(await openedKeys(withKeys(NEW))).toEqual(keys)
})

it.for<[name: string, runs: number, both: boolean]>([
  ['10,000 users in two runs', 2, false],
  ['users with a key there too, with the statements that a run may take', 3, true],
])('moves the plain route’s keys of %s', async ([, most, both]) => {
  const vault = { ...before, DEFAULT_PROVIDER: 'openai', REWRAP_ROWS_PER_RUN: '40000' }
  const keys = await someKeys(both ? 150 : 10_000, before)
  if (both) await storeKeys(new Map(Array.from(keys.keys(), (id) => [id, id])), before, 'openai')
  await env.DB.prepare("UPDATE api_keys SET updated_at = '2027' WHERE provider = 'default'").run()
  const runs = await countStatements(vault)
  expect(runs.length).toBeLessThanOrEqual(most)
  expect(Math.max(...runs)).toBeLessThan(900)
  expect(await openedKeys(before)).toEqual(keys)
  const slots = 'SELECT DISTINCT provider FROM api_keys'
  expect((await env.DB.prepare(slots).all()).results).toEqual([{ provider: 'openai' }])
})
