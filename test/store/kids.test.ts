/** The rewrap job looks at a kid again after a row under it went: it may have been the last that did not open. */

import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { importKeys } from '../../scripts/lib/import-batch.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { deleteSlot } from '../../src/keys/slots.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { runBatch } from '../../src/store/d1.ts'
import { ownerOf, recordLogs, someKey, someKeyUser } from '../support.ts'

const run = async (sql: string, ...values: string[]) =>
  env.DB.prepare(sql)
    .bind(...values)
    .run()

/** The state of the kid of the user's row after the work, which began when it was settled. */
async function stateAfter(work: (userId: string) => Promise<unknown>) {
  const userId = await someKeyUser(someKey())
  // A kid of its own: a save would note the kid of the new row.
  const kid = `kid-${crypto.randomUUID()}`
  await run('UPDATE api_keys SET key_id = ?2 WHERE user_id = ?1', userId, kid)
  await run("INSERT INTO key_ids (key_id, state) VALUES (?1, 'settled')", kid)
  await work(userId)
  return env.DB.prepare('SELECT state FROM key_ids WHERE key_id = ?1').bind(kid).first('state')
}

describe('the kid of a row', () => {
  it.for<[way: string, work: (userId: string) => Promise<unknown>]>([
    [
      'is replaced',
      async (userId) =>
        saveSlot(await ownerOf(userId), 'openai', { apiKey: someKey(), verify: false }),
    ],
    ['is deleted', async (userId) => deleteSlot(await ownerOf(userId), 'openai', null)],
    ['goes with its user', async (userId) => removeUser(await openService(env), userId)],
    [
      'expires',
      async (userId) => {
        recordLogs()
        await run("UPDATE api_keys SET expires_at = '2020-01-01' WHERE user_id = ?1", userId)
        await deleteExpiredKeys(await openService(env))
      },
    ],
    [
      'is replaced by an import',
      async (userId) => {
        const key = { userId, provider: 'openai', savedAt: '2100-01-01', token: 'token' }
        await runBatch(env.DB, importKeys([key]))
      },
    ],
  ])('is in use again after the row %s', async ([, work]) => {
    expect(await stateAfter(work)).toBe('in_use')
  })

  it('stays settled while nothing happens to it', async () => {
    expect(await stateAfter(async () => someKeyUser(someKey()))).toBe('settled')
  })
})
