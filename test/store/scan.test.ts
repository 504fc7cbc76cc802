/** The walk through all rows, and the keys that it writes. */

import { beforeEach, describe, expect, it } from 'vitest'
import { run, type Statement } from '../../src/store/d1.ts'
import {
  countRowsAfter,
  selectNthRowAfter,
  selectRowsAfter,
  START,
  swapKeys,
} from '../../src/store/scan.ts'
import { env } from '../isolate.ts'

const SAVED = '2026-01-01T00:00:00.000Z'

const read = async <Row>(statement: Statement<Row>) => (await run(env.DB, statement)).results
const changesOf = async (statement: Statement) => (await run(env.DB, statement)).meta.changes

/** A slot of a user with the sealed key, under a kid. */
type Stored = [userId: string, provider: string, sealed: string, kid: string]

// The first user id is before any letter.
const ROWS: readonly Stored[] = [
  ['!', 'openai', 'v1.one.a', 'one'],
  ['a', 'default', 'v1.one.b', 'one'],
  ['a', 'openai', 'gAAAAc', 'fernet'],
  ['b', 'openai', 'other', 'two'],
]

beforeEach(async () => {
  const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  const addKey = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
     VALUES (?1, ?2, ?3, ?4, '${SAVED}')`,
  )
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    ...['!', 'a', 'b', 'empty'].map((userId) => addUser.bind(userId)),
    ...ROWS.map((row) => addKey.bind(...row)),
  ])
})

describe('the walk through all rows', () => {
  it('reads the next rows in the order of their primary key', async () => {
    const cursors = (await read(selectRowsAfter(START, 3))).map((row) => [row.userId, row.provider])
    expect(cursors).toEqual([
      ['!', 'openai'],
      ['a', 'default'],
      ['a', 'openai'],
    ])
    const after = { userId: 'a', provider: 'default' }
    expect(await read(selectRowsAfter(after, 3))).toEqual([
      { userId: 'a', provider: 'openai', sealed: 'gAAAAc', kid: 'fernet', meets: 0 },
      { userId: 'b', provider: 'openai', sealed: 'other', kid: 'two', meets: 0 },
    ])
  })

  it('reads no row before the user of its position', async () => {
    const { meta } = await run(env.DB, selectRowsAfter({ userId: 'a', provider: 'openai' }, 1))
    expect(meta.rows_read).toBeLessThanOrEqual(2)
  })

  it('counts rows by kid and form, from the first row or after one', async () => {
    expect(await read(countRowsAfter(START, 10))).toEqual([
      { kid: 'fernet', version: 'fernet', rows: 1, latest: SAVED },
      { kid: 'one', version: 'v1', rows: 2, latest: SAVED },
      { kid: 'two', version: 'unknown', rows: 1, latest: SAVED },
    ])
    expect(await read(countRowsAfter({ userId: 'a', provider: 'default' }, 1))).toEqual([
      { kid: 'fernet', version: 'fernet', rows: 1, latest: SAVED },
    ])
  })

  it('finds the last of the next rows, if there are so many', async () => {
    expect(await read(selectNthRowAfter(START, 1))).toEqual([{ userId: '!', provider: 'openai' }])
    expect(await read(selectNthRowAfter(START, 4))).toEqual([{ userId: 'b', provider: 'openai' }])
    expect(await read(selectNthRowAfter(START, 5))).toEqual([])
  })
})

describe('resealed keys', () => {
  async function resealed() {
    const rows = await read(selectRowsAfter(START, 3))
    return rows.map((row, index) => ({
      row,
      sealed: `v1.new.${row.userId}`,
      fingerprint: index === 0 ? null : 'f',
    }))
  }

  it('a resealed key replaces the one that it was made from, and no other', async () => {
    const keys = await resealed()
    const later = "UPDATE api_keys SET encrypted_api_key = 'later' WHERE provider = 'default'"
    await env.DB.prepare(later).run()
    expect(await changesOf(swapKeys('new', keys.slice(0, 2)))).toBe(1)
    const rows = await read(selectRowsAfter(START, 3))
    expect(rows.map(({ sealed, kid }) => [sealed, kid])).toEqual([
      ['v1.new.!', 'new'],
      ['later', 'one'],
      ['gAAAAc', 'fernet'],
    ])
  })

  it('a resealed key stays the same key for its owner', async () => {
    const columns = 'SELECT identity, revision, status, updated_at FROM api_keys ORDER BY identity'
    const before = await env.DB.prepare(columns).all()
    expect(await changesOf(swapKeys('new', await resealed()))).toBe(3)
    expect((await env.DB.prepare(columns).all()).results).toEqual(before.results)
    const { results } = await env.DB.prepare(
      'SELECT fingerprint FROM api_keys ORDER BY user_id, provider',
    ).all()
    expect(results.map(({ fingerprint }) => fingerprint)).toEqual([null, 'f', 'f', null])
  })

  it('a write seeks each row', async () => {
    const { meta } = await run(env.DB, swapKeys('new', (await resealed()).slice(0, 1)))
    expect(meta.rows_read).toBeLessThan(4)
  })
})
