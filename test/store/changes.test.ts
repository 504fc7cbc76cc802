/** Whether what was read before is old. */

import { describe, expect, it, vi } from 'vitest'
import { beginRead, isUnchanged, markChanged } from '../../src/store/changes.ts'
import { run, runBatch, type Statement } from '../../src/store/d1.ts'
import { interceptD1 } from '../support.ts'

/** A database of its own, which does nothing. */
const someDb = () => interceptD1(async () => ({ results: [] }))

describe('what was read of an owner', () => {
  it('nothing is old if another owner has changed since', () => {
    const db = someDb()
    const begun = beginRead(db)
    markChanged(db, 'bob')
    expect(isUnchanged(db, begun, ['ann'])).toBe(true)
  })

  it.for<[name: string, changed: string | undefined]>([
    ['the owner', 'ann'],
    ['the team', 'team:acme'],
    ['everybody', undefined],
  ])('what was read is old if %s has changed since', ([, changed]) => {
    const db = someDb()
    const begun = beginRead(db)
    markChanged(db, changed)
    expect(isUnchanged(db, begun, ['ann', 'team:acme'])).toBe(false)
    expect(isUnchanged(db, beginRead(db), ['ann', 'team:acme'])).toBe(true)
  })

  it('what was read is old if everybody has changed, and the owner alone before', () => {
    const db = someDb()
    beginRead(db)
    markChanged(db, 'ann')
    const begun = beginRead(db)
    markChanged(db)
    expect(isUnchanged(db, begun, ['ann'])).toBe(false)
    expect(isUnchanged(db, beginRead(db), ['ann'])).toBe(true)
  })

  it('what was read is old if the change is forgotten by now', () => {
    const db = someDb()
    const begun = beginRead(db)
    markChanged(db, 'ann')
    for (let index = 0; index < 5_000; index += 1) markChanged(db, `user-${index}`)
    expect(isUnchanged(db, begun, ['ann'])).toBe(false)
    expect(isUnchanged(db, begun, ['bob'])).toBe(false)
    expect(isUnchanged(db, beginRead(db), ['ann'])).toBe(true)
  })

  it('counts as old where nothing was read', () => {
    expect(isUnchanged(someDb(), 1, ['ann'])).toBe(false)
  })
})

const WRITES = [
  'INSERT INTO api_keys (user_id) VALUES (?1)',
  'UPDATE api_keys SET uses = 0 WHERE user_id = ?1',
  'UPDATE OR IGNORE api_keys SET uses = 0 WHERE user_id = ?1',
  'DELETE FROM users WHERE id = ?1',
]

describe('a statement', () => {
  it.for(WRITES)('that does not say whose keys it changes makes all old: %s', async (sql) => {
    const db = someDb()
    const begun = beginRead(db)
    await run(db, { sql, values: ['ann'] })
    expect(isUnchanged(db, begun, ['bob'])).toBe(false)
  })

  it.for<[name: string, statement: Statement]>([
    ['that reads', { sql: 'SELECT * FROM api_keys', values: [] }],
    ['that writes an event', { sql: 'INSERT INTO api_key_events (id) VALUES (1)', values: [] }],
    ["that changes nobody's", { sql: 'UPDATE api_keys SET uses = 0', values: [], changes: null }],
    [
      "that changes another owner's",
      { sql: 'UPDATE users SET id = 1', values: [], changes: 'bob' },
    ],
  ])('%s leaves what was read of an owner', async ([, statement]) => {
    const db = someDb()
    const begun = beginRead(db)
    await runBatch(db, [statement])
    expect(isUnchanged(db, begun, ['ann'])).toBe(true)
  })

  it('that fails may have been done, and a read during it is old', async () => {
    const during: number[] = []
    const db: D1Database = interceptD1(async () => {
      during.push(beginRead(db))
      throw new Error('D1_ERROR: Network connection lost.')
    })
    const before = beginRead(db)
    const statement = { sql: 'UPDATE api_keys SET uses = 0', values: [], changes: 'ann' }
    await expect(run(db, statement)).rejects.toMatchObject({ code: 'database_busy' })
    expect([before, ...during].map((begun) => isUnchanged(db, begun, ['ann']))).toEqual([
      false,
      false,
    ])
  })

  it('that ends after its time makes old what was read meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const db = interceptD1(async () => {
      await promise
      return { results: [] }
    })
    beginRead(db)
    const statement = { sql: 'UPDATE api_keys SET uses = 0', values: [], changes: 'ann' }
    await expect(run(db, statement, 1)).rejects.toMatchObject({ code: 'database_busy' })
    const begun = beginRead(db)
    expect(isUnchanged(db, begun, ['ann'])).toBe(true)
    resolve()
    await vi.waitFor(() => expect(isUnchanged(db, begun, ['ann'])).toBe(false))
  })
})
