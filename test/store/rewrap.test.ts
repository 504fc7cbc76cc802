/** The row of the rewrap job's latest pass: how it begins, moves on and ends. */

import { beforeEach, describe, expect, it } from 'vitest'
import { run, runBatch } from '../../src/store/d1.ts'
import {
  askForPass,
  selectPass,
  toPass,
  updatePass,
  upsertPass,
  type Counts,
  type Pass,
} from '../../src/store/rewrap.ts'
import { removeUsers } from '../../src/store/users.ts'
import { env } from '../isolate.ts'
import { someUser } from '../support.ts'

beforeEach(async () => {
  const tables = ['users', 'rewrap']
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)))
})

const passOf = (keyring: string, carried?: Counts, defaultProvider = 'acme') =>
  upsertPass({ keyring, defaultProvider }, carried)
const time = expect.stringMatching(/^20\d\d-.*\.\d{3}Z$/)

async function readPass(): Promise<Pass> {
  const [pass] = (await run(env.DB, selectPass())).results.map(toPass)
  if (pass === undefined) throw new Error('There is no pass')
  return pass
}

describe('the beginning of a pass', () => {
  it('reads the pass that has begun, with the number of rows by kid', async () => {
    const insert = env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
       VALUES (?1, ?2, 'sealed', ?3)`,
    )
    const userId = await someUser()
    const rows = [
      ['default', 'one'],
      ['openai', 'one'],
      ['acme', 'two'],
    ]
    await env.DB.batch(rows.map((row) => insert.bind(userId, ...row)))
    expect((await run(env.DB, selectPass())).results).toEqual([])
    await run(env.DB, passOf('one'))
    expect(await readPass()).toMatchObject({
      keyring: 'one',
      defaultProvider: 'acme',
      startedAt: time,
      last: { userId: '', identity: '' },
      counts: {
        one: { rows: 2, done: 0, unopenable: 0 },
        two: { rows: 1, done: 0, unopenable: 0 },
      },
    })
  })

  it('counts the rows, and keeps what is carried over', async () => {
    const userId = await someUser()
    const insert = `INSERT INTO api_keys (user_id, encrypted_api_key, key_id) VALUES (?1, 'x', 'fernet')`
    await env.DB.prepare(insert).bind(userId).run()
    const none = { rows: 0, done: 0, unopenable: 0 }
    const fernet = { ...none, lost: 1, opened_with: ['f'] }
    await run(env.DB, passOf('one', { fernet, old: { ...none, lost: 2 } }))
    expect((await readPass()).counts).toEqual({
      fernet: { ...fernet, rows: 1 },
      old: { ...none, lost: 2 },
    })
  })

  it('replaces the pass before it, and the request for it', async () => {
    await run(env.DB, passOf('one'))
    const end = { last: { userId: 'a', identity: 'b' }, finishedAt: '2026-01-02' }
    await run(env.DB, updatePass({ ...(await readPass()), ...end }))
    await run(env.DB, askForPass('2026-01-03'))
    await run(env.DB, passOf('two', {}, 'openai'))
    expect(await readPass()).toEqual({
      keyring: 'two',
      revision: 3,
      last: { userId: '', identity: '' },
      counts: {},
      startedAt: time,
      movedAt: time,
      finishedAt: null,
      askedAt: null,
      defaultProvider: 'openai',
    })
  })
})

/** Adds users with keys in the slots `acme` and `openai`, whose identities are the same. */
async function addKeys(...userIds: string[]) {
  const users = userIds.map((id) => env.DB.prepare('INSERT INTO users (id) VALUES (?1)').bind(id))
  const keys = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, identity, encrypted_api_key, key_id)
     SELECT users.id, value, value, 'sealed', 'one' FROM users, json_each('["acme", "openai"]')`,
  )
  await env.DB.batch([...users, keys])
}

describe('the progress of a pass', () => {
  const counts = { one: { rows: 2, done: 1, unopenable: 1 } }
  const moved = { last: { userId: 'b', identity: 'acme' }, counts, movedAt: '2026-01-02' }

  beforeEach(async () => addKeys('a', 'b', 'c'))

  it('moves a pass on', async () => {
    await run(env.DB, passOf('one'))
    const pass = await readPass()
    expect((await run(env.DB, updatePass({ ...pass, ...moved }))).meta.changes).toBe(1)
    expect(await readPass()).toEqual({ ...pass, ...moved, revision: pass.revision + 1 })
  })

  it('does not move a pass that another run has moved', async () => {
    await run(env.DB, passOf('one'))
    const pass = await readPass()
    await run(env.DB, updatePass({ ...pass, movedAt: '2026-01-03' }))
    const later = await readPass()
    expect((await run(env.DB, updatePass({ ...pass, ...moved }))).meta.changes).toBe(0)
    expect(await readPass()).toEqual(later)
  })
})

/** Where a pass is after a change, if it was after the key `acme` of the user `b`. */
async function lastAfter(change: () => Promise<unknown>) {
  await addKeys('a', 'b', 'c')
  await run(env.DB, passOf('one'))
  const last = { userId: 'b', identity: 'acme' }
  await run(env.DB, updatePass({ ...(await readPass()), last }))
  await change()
  return (await readPass()).last
}

/** Removes the users as the vault does. */
const remove = async (...ids: string[]) =>
  runBatch(
    env.DB,
    removeUsers(
      { sql: 'SELECT value FROM json_each(?1)', values: [JSON.stringify(ids)] },
      'request',
    ),
  )

it('the removal of the user whose row a pass read last moves it back to the row before', async () => {
  const last = await lastAfter(async () => remove('b'))
  expect(last).toEqual({ userId: 'a', identity: 'openai' })
})

it('the removal of all users moves a pass to the start', async () => {
  const last = await lastAfter(async () => remove('c', 'b', 'a'))
  expect(last).toEqual({ userId: '', identity: '' })
})

it('a removal moves a pass back although the user has no row any more', async () => {
  const last = await lastAfter(async () => {
    await env.DB.prepare("DELETE FROM api_keys WHERE user_id = 'b'").run()
    await remove('b')
  })
  expect(last).toEqual({ userId: 'a', identity: 'openai' })
})

it('a run that saves a pass after a removal keeps the id out of it', async () => {
  const last = await lastAfter(async () => {
    const pass = await readPass()
    await remove('b')
    await run(env.DB, updatePass({ ...pass, last: { userId: 'b', identity: 'openai' } }))
  })
  expect(last).toEqual({ userId: 'a', identity: 'openai' })
})

it('the removal of another user leaves a pass where it is', async () => {
  const last = await lastAfter(async () => remove('a', 'c'))
  expect(last).toEqual({ userId: 'b', identity: 'acme' })
})

describe('a request for another pass', () => {
  it('changes nothing before the job has run', async () => {
    expect((await run(env.DB, askForPass('2026-01-01'))).meta.changes).toBe(0)
    expect((await run(env.DB, selectPass())).results).toEqual([])
  })

  it('stands until another pass begins', async () => {
    await run(env.DB, passOf('one'))
    await run(env.DB, askForPass('2026-01-02'))
    await run(env.DB, askForPass('2026-01-03'))
    await run(env.DB, updatePass({ ...(await readPass()), finishedAt: '2026-01-04' }))
    expect(await readPass()).toMatchObject({ askedAt: '2026-01-03' })
    await run(env.DB, passOf('one'))
    expect(await readPass()).toMatchObject({ askedAt: null, finishedAt: null })
  })
})
