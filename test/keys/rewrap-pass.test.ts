/** A pass of the rewrap job: when one is due, and what is logged of it. */

import { beforeEach, describe, expect, it } from 'vitest'
import { COUNTED_ROWS } from '../../src/store/all-keys.ts'
import { env } from '../isolate.ts'
import { putKey, recordLogs, someEncryptionKey } from '../support.ts'
import {
  clearRows,
  counts,
  kids,
  runJob,
  runPass,
  someKeys,
  storedRows,
  withKeys,
} from './sealed-rows.ts'

const [OLD, NEW] = [someEncryptionKey(), someEncryptionKey()]
const before = withKeys(OLD)
const after = withKeys(NEW, OLD)
/** A vault without the old key. */
const rotated = withKeys(NEW)
/** A vault whose runs handle few rows. */
const small = { ...after, REWRAP_ROWS_PER_RUN: '4' }

beforeEach(clearRows)

describe('when a pass is due', () => {
  it('repeats a finished pass when an operator asks for it', async () => {
    await someKeys(2, before)
    await runPass(after)
    await env.DB.prepare("UPDATE rewrap SET asked_at = '2026-01-01T00:00:00.000Z'").run()
    const logs = recordLogs()
    for (let runs = 0; runs < 3; runs += 1) await runJob(after)
    expect(logs.events().map(({ event }) => event)).toEqual(['rewrap_begun', 'rewrap_finished'])
  })

  it('makes a pass for each new order of keys', async () => {
    await someKeys(1, before)
    await runPass(after)
    const logs = recordLogs()
    for (const vault of [withKeys(OLD, NEW), after]) await runPass(vault)
    const events = logs.events().map(({ event }) => event)
    expect(events.filter((event) => event === 'rewrap_begun')).toHaveLength(2)
  })

  it('two versions with different keyrings that alternate only begin passes', async () => {
    await someKeys(4, before)
    const other = withKeys(OLD, NEW)
    const earlier = await storedRows()
    for (let turn = 0; turn < 3; turn += 1) {
      await runJob(after)
      await runJob(other)
    }
    expect(await storedRows()).toEqual(earlier)
  })

  it('continues a pass while a version that seals under the old key writes', async () => {
    const keys = await someKeys(10, before)
    const users = [...keys.keys()].toSorted()
    await runJob(small)
    // Runs end at the fourth and the eighth user. Another key of one of these may be sealed again in the next run.
    for (const userId of [users[0], users[9], users[5]]) {
      await putKey(userId ?? '', keys.get(userId ?? '') ?? '', { env: before })
      await runJob(small)
    }
    expect((await counts()).reduce((sum, [, { done }]) => sum + done, 0)).toBe(10)
  })
})

describe('the progress that a run logs', () => {
  it('sums the rows of all kids', async () => {
    await someKeys(4, before)
    await someKeys(3, rotated)
    const damage = `UPDATE api_keys SET encrypted_api_key = 'v1.x'
      WHERE user_id = (SELECT min(user_id) FROM api_keys)`
    await env.DB.prepare(damage).run()
    await runJob(small)
    const logs = recordLogs()
    await runJob(small)
    const progress = { done: 3, left: 3, unopenable: 1 }
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_moved', ...progress })
  })

  it.for([
    ['unknown if they are too many to be counted', COUNTED_ROWS, null],
    ['0 if more rows were added than are left', 2, 0],
    ['the rest otherwise', COUNTED_ROWS - 1, COUNTED_ROWS - 5],
  ] as const)('says that the rows left are %s', async ([, rows, left]) => {
    await someKeys(6, before)
    await runJob(small)
    const [kid = ''] = Object.keys(await kids())
    await env.DB.prepare('UPDATE rewrap SET counts = ?1')
      .bind(JSON.stringify({ [kid]: { rows, done: 0, unopenable: 0 } }))
      .run()
    const logs = recordLogs()
    await runJob(small)
    expect(logs.events()).toMatchObject([{ event: 'rewrap_moved', done: 4, left }])
    await runJob(small)
    expect(logs.events().at(-1)).toMatchObject({ event: 'rewrap_finished', done: 6, left: 0 })
  })
})
