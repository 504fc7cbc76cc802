/** The row of the rewrap job's latest pass: how it begins, moves on and ends. */

import { beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import {
  askForPass,
  selectPass,
  toPass,
  updatePass,
  upsertPass,
  type Counts,
  type Pass,
} from '../../src/store/rewrap.ts'
import { env } from '../isolate.ts'
import { someUser } from '../support.ts'

beforeEach(async () => {
  const tables = ['users', 'rewrap']
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)))
})

const passOf = (keyring: string, startedAt: string, carried?: Counts, defaultProvider = 'acme') =>
  upsertPass({ keyring, defaultProvider, startedAt }, carried)

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
    await run(env.DB, passOf('one', '2026-01-01'))
    expect(await readPass()).toMatchObject({
      keyring: 'one',
      defaultProvider: 'acme',
      startedAt: '2026-01-01',
      last: { userId: '', provider: '' },
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
    await run(env.DB, passOf('one', '2026-01-01', { fernet, old: { ...none, lost: 2 } }))
    expect((await readPass()).counts).toEqual({
      fernet: { ...fernet, rows: 1 },
      old: { ...none, lost: 2 },
    })
  })

  it('replaces the pass before it, and the request for it', async () => {
    await run(env.DB, passOf('one', '2026-01-01'))
    const end = { last: { userId: 'a', provider: 'b' }, finishedAt: '2026-01-02' }
    await run(env.DB, updatePass({ ...(await readPass()), ...end }))
    await run(env.DB, askForPass('2026-01-03'))
    await run(env.DB, passOf('two', '2026-01-04', {}, 'openai'))
    expect(await readPass()).toEqual({
      keyring: 'two',
      revision: 3,
      last: { userId: '', provider: '' },
      counts: {},
      startedAt: '2026-01-04',
      movedAt: '2026-01-04',
      finishedAt: null,
      askedAt: null,
      defaultProvider: 'openai',
    })
  })
})

describe('the progress of a pass', () => {
  const counts = { one: { rows: 2, done: 1, unopenable: 1 } }
  const moved = { last: { userId: 'a', provider: 'b' }, counts, movedAt: '2026-01-02' }

  it('moves a pass on', async () => {
    await run(env.DB, passOf('one', '2026-01-01'))
    const pass = await readPass()
    expect((await run(env.DB, updatePass({ ...pass, ...moved }))).meta.changes).toBe(1)
    expect(await readPass()).toEqual({ ...pass, ...moved, revision: pass.revision + 1 })
  })

  it('does not move a pass that another run has moved', async () => {
    await run(env.DB, passOf('one', '2026-01-01'))
    const pass = await readPass()
    await run(env.DB, updatePass({ ...pass, movedAt: '2026-01-03' }))
    const later = await readPass()
    expect((await run(env.DB, updatePass({ ...pass, ...moved }))).meta.changes).toBe(0)
    expect(await readPass()).toEqual(later)
  })
})

describe('a request for another pass', () => {
  it('changes nothing before the job has run', async () => {
    expect((await run(env.DB, askForPass('2026-01-01'))).meta.changes).toBe(0)
    expect((await run(env.DB, selectPass())).results).toEqual([])
  })

  it('stands until another pass begins', async () => {
    await run(env.DB, passOf('one', '2026-01-01'))
    await run(env.DB, askForPass('2026-01-02'))
    await run(env.DB, askForPass('2026-01-03'))
    await run(env.DB, updatePass({ ...(await readPass()), finishedAt: '2026-01-04' }))
    expect(await readPass()).toMatchObject({ askedAt: '2026-01-03' })
    await run(env.DB, passOf('one', '2026-01-05'))
    expect(await readPass()).toMatchObject({ askedAt: null, finishedAt: null })
  })
})
