/** Whole passes of the rewrap job over several batches of rows. */

import * as fc from 'fast-check'
import { beforeEach, expect, it } from 'vitest'
import { BATCH_ROWS } from '../../src/keys/rewrap.ts'
import { someEncryptionKey, someKey } from '../support.ts'
import {
  clearRows,
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
