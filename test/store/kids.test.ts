/** The kids under which keys are stored, and when the rewrap job has to look at one again. */

import { beforeEach, describe, expect, it } from 'vitest'
import { importKeys } from '../../scripts/lib/import-batch.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { deleteSlot } from '../../src/keys/slots.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { run as runStatement, runBatch } from '../../src/store/d1.ts'
import {
  noteAllKids,
  noteKid,
  releaseKids,
  selectKids,
  selectNeededKids,
  settleKids,
} from '../../src/store/kids.ts'
import { selectPass, toPass, updatePass, upsertPass } from '../../src/store/rewrap.ts'
import { env } from '../isolate.ts'
import { ownerOf, recordLogs, someKey, someKeyUser, someUser } from '../support.ts'

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

/** The row may have been the last one under its kid that did not open. */
describe('the kid of a row that goes', () => {
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
  ])('the kid of a row is in use again after the row %s', async ([, work]) => {
    expect(await stateAfter(work)).toBe('in_use')
  })

  it('the kid of a row stays settled while nothing happens to the row', async () => {
    expect(await stateAfter(async () => someKeyUser(someKey()))).toBe('settled')
  })
})

describe('the states of a kid', () => {
  const states = async () =>
    Object.fromEntries(
      (await runStatement(env.DB, selectKids())).results.map(({ kid, state }) => [kid, state]),
    )
  const setStates = async (kids: Record<string, string>) =>
    run(
      'INSERT INTO key_ids (key_id, state) SELECT key, value FROM json_each(?1)',
      JSON.stringify(kids),
    )

  beforeEach(async () => {
    for (const table of ['users', 'key_ids', 'rewrap']) await run(`DELETE FROM ${table}`)
  })

  it.for(['settled', 'unused', 'in_use'])(
    'a kid that was %s is in use after a row was written under it',
    async (state) => {
      await setStates({ one: state, other: 'settled' })
      await runStatement(env.DB, noteKid('one'))
      expect(await states()).toEqual({ one: 'in_use', other: 'settled' })
    },
  )

  it('notes a kid at its first use, and writes nothing at the next', async () => {
    await runStatement(env.DB, noteKid('one'))
    expect(await states()).toEqual({ one: 'in_use' })
    const { meta } = await runStatement(env.DB, noteKid('one'))
    expect(meta.rows_written).toBe(0)
  })

  it('a pass settles the kids that are in use', async () => {
    await setStates({ one: 'in_use', other: 'unused' })
    await runStatement(env.DB, settleKids())
    expect(await states()).toEqual({ one: 'settled', other: 'unused' })
  })

  it('needs the kids that are in use or settled', async () => {
    await setStates({ one: 'in_use', other: 'settled', third: 'unused' })
    const { results } = await runStatement(env.DB, selectNeededKids())
    expect(results.map(({ kid }) => kid)).toEqual(['one', 'other'])
  })

  it('a finished pass releases the settled kids of which it opened every row', async () => {
    const kids = { opened: 'settled', missed: 'settled', written: 'in_use', none: 'settled' }
    await setStates(kids)
    await runStatement(env.DB, upsertPass('one', '2026-01-01'))
    const count = (unopenable: number) => ({ rows: 1, done: 1, unopenable })
    const [pass] = (await runStatement(env.DB, selectPass())).results.map(toPass)
    if (pass === undefined) throw new Error('There is no pass')
    const counts = { opened: count(0), missed: count(1), written: count(0) }
    await runStatement(env.DB, updatePass({ ...pass, counts }))
    await runStatement(env.DB, releaseKids(pass.revision + 1))
    expect(await states()).toEqual(kids)
    const end = { revision: pass.revision + 1, finishedAt: '2026-01-02' }
    await runStatement(env.DB, updatePass({ ...pass, ...end, counts }))
    await runStatement(env.DB, releaseKids(pass.revision + 1))
    expect(await states()).toEqual(kids)
    await runStatement(env.DB, releaseKids(pass.revision + 2))
    expect(await states()).toEqual({ ...kids, opened: 'unused', none: 'unused' })
  })

  /** A finished pass that found these lost rows, of as many that do not open. */
  async function finishPass(lost: Record<string, [lost: number, unopenable: number]>) {
    await runStatement(env.DB, upsertPass('one', '2026-01-01'))
    const [pass] = (await runStatement(env.DB, selectPass())).results.map(toPass)
    if (pass === undefined) throw new Error('There is no pass')
    const counted = Object.entries(lost).map(([kid, [rows, unopenable]]) => {
      return [kid, { rows: 0, done: 0, unopenable, lost: rows }] as const
    })
    const end = { counts: Object.fromEntries(counted), finishedAt: '2026-01-02' }
    await runStatement(env.DB, updatePass({ ...pass, ...end }))
    return pass.revision + 1
  }

  it('a finished pass releases a kid of which only lost rows are left', async () => {
    await setStates({ lost: 'settled', other: 'settled' })
    const revision = await finishPass({ lost: [2, 2], other: [2, 3] })
    await runStatement(env.DB, releaseKids(revision))
    expect(await states()).toEqual({ lost: 'unused', other: 'settled' })
  })

  it('notes no kid of which only lost rows are left', async () => {
    const userId = await someUser()
    const insert = env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
       VALUES (?1, ?2, 'sealed', ?3)`,
    )
    const rows = [
      ['a', 'lost'],
      ['b', 'other'],
      ['c', 'other'],
    ]
    await env.DB.batch(rows.map((row) => insert.bind(userId, ...row)))
    await setStates({ lost: 'unused', other: 'unused' })
    await finishPass({ lost: [1, 1], other: [1, 1] })
    await runStatement(env.DB, noteAllKids())
    expect(await states()).toEqual({ lost: 'unused', other: 'in_use' })
  })

  it('notes the kids of all rows, and lists them by name', async () => {
    const userId = await someUser()
    const insert = env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
       VALUES (?1, ?2, 'sealed', ?2)`,
    )
    await env.DB.batch(['two', 'fernet', 'one'].map((kid) => insert.bind(userId, kid)))
    await setStates({ one: 'unused' })
    await runStatement(env.DB, noteAllKids())
    expect((await runStatement(env.DB, selectKids())).results).toEqual([
      { kid: 'fernet', state: 'in_use' },
      { kid: 'one', state: 'in_use' },
      { kid: 'two', state: 'in_use' },
    ])
  })
})
