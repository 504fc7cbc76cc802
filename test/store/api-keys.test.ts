/** The statements on sealed keys: which row they read, and what they change in it. */

import { beforeEach, describe, expect, it } from 'vitest'
import type { KeyStatus } from '../../src/shared/slot.ts'
import {
  countRowsAfter,
  deleteKey,
  selectKey,
  selectKeys,
  selectNthRowAfter,
  selectRowsAfter,
  selectSlotsUnder,
  START,
  swapKeys,
  takeOver,
  updateStatus,
  updateUsed,
  updateVerified,
  upsertKey,
  type RowNames,
} from '../../src/store/api-keys.ts'
import { run } from '../../src/store/d1.ts'
import type { Statement } from '../../src/store/statement.ts'
import { env } from '../isolate.ts'

const read = async <Row>(statement: Statement<Row>) => (await run(env.DB, statement)).results
const changesOf = async (statement: Statement) => (await run(env.DB, statement)).meta.changes
const execute = async (sql: string) => env.DB.prepare(sql).run()

/** A slot of a user with the sealed key, under a kid. */
type Stored = [userId: string, provider: string, sealed: string, kid: string]

// The first user id is before any letter.
const ROWS: readonly Stored[] = [
  ['!', 'openai', 'v1.one.a', 'one'],
  ['a', 'default', 'v1.one.b', 'one'],
  ['a', 'openai', 'gAAAAc', 'fernet'],
  ['b', 'openai', 'other', 'two'],
]
const OLD = '2026-01-01T00:00:00.000Z'

beforeEach(async () => {
  const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  const addKey = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
     VALUES (?1, ?2, ?3, ?4, '${OLD}')`,
  )
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    ...['!', 'a', 'b', 'empty'].map((userId) => addUser.bind(userId)),
    ...ROWS.map((row) => addKey.bind(...row)),
  ])
})

const JANE = { userId: 'a', provider: 'openai' }
const NEW_KEY = { sealed: 'v1.new', kid: 'new', status: 'active', fingerprint: 'f' } as const

describe('the key of a slot', () => {
  it.for<[name: string, rows: object[], userId: string, names: RowNames]>([
    ['no row for an unknown user', [], 'nobody', ['openai']],
    ['no row for an unknown user, of two names', [], 'nobody', ['openai', 'default']],
    ['no key for an empty slot', [{ sealed: null }], 'a', ['acme']],
    ['its own row', [{ sealed: 'v1.one.b' }], 'a', ['default']],
    ['the older row if its own is empty', [{ sealed: 'v1.one.b' }], 'a', ['acme', 'default']],
    ['its own of two that are as old', [{ sealed: 'gAAAAc' }], 'a', ['openai', 'default']],
  ])('a slot has %s', async ([, rows, userId, names]) => {
    expect(await read(selectKey(userId, names))).toMatchObject(rows)
  })

  it('a slot has the later of two rows', async () => {
    await execute("UPDATE api_keys SET updated_at = '2026-02' WHERE encrypted_api_key = 'v1.one.b'")
    const later = [{ sealed: 'v1.one.b', provider: 'default' }]
    expect(await read(selectKey('a', ['openai', 'default']))).toMatchObject(later)
  })

  it('lists the keys of a user, or that there are none', async () => {
    const sealed = async (userId: string) =>
      (await read(selectKeys(userId))).map((row) => row.sealed)
    expect(new Set(await sealed('a'))).toEqual(new Set(['v1.one.b', 'gAAAAc']))
    expect([await sealed('empty'), await sealed('nobody')]).toEqual([[null], []])
  })
})

describe('a save', () => {
  const save = async (at: string | null, userId = 'a') =>
    read(upsertKey({ ...JANE, userId }, { ...NEW_KEY, at, expiresAt: null }))

  it('replaces the key, and keeps when the first was saved and what its owner allows', async () => {
    await execute(`UPDATE api_keys SET paused_at = '2026-02', last_used_at = '2026-03',
      last_verified_at = '2026-04', expires_at = '2026-05', created_at = '2025-01'`)
    const [row] = await save(null)
    expect(row).toMatchObject({
      ...JANE,
      sealed: 'v1.new',
      kid: 'new',
      status: 'active',
      createdAt: '2025-01',
      pausedAt: '2026-02',
      lastUsedAt: null,
      lastVerifiedAt: null,
      expiresAt: null,
    })
  })

  it('changes no row of a user who does not exist', async () => {
    expect(await save(null, 'nobody')).toEqual([])
    expect(await read(selectKeys('nobody'))).toEqual([])
  })

  it.for<[at: string, version: string]>([
    ['2026-02-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z'],
    [OLD, '2026-01-01T00:00:00.001Z'],
    ['2025-01-01T00:00:00.000Z', '2026-01-01T00:00:00.001Z'],
  ])('a save at %s over a key of 2026-01-01 has the version %s', async ([at, version]) => {
    expect(await save(at)).toMatchObject([{ updatedAt: version }])
  })
})

describe('what is recorded of a key', () => {
  const key = { ...JANE, updatedAt: OLD }
  const at = '2026-02-01T12:00:00.000Z'
  const stateOf = async () =>
    env.DB.prepare(
      `SELECT status, last_used_at AS used, last_verified_at AS verified FROM api_keys
       WHERE user_id = 'a' AND provider = 'openai'`,
    ).first()

  it('a check sets the status and its time', async () => {
    expect(await changesOf(updateVerified(key, { status: 'rejected', at }))).toBe(1)
    expect(await stateOf()).toEqual({ status: 'rejected', used: null, verified: at })
  })

  it.for<[read: KeyStatus, stored: KeyStatus, seen: KeyStatus, changes: number]>([
    ['unverified', 'unverified', 'active', 1],
    ['unverified', 'unverified', 'rejected', 1],
    ['unverified', 'active', 'rejected', 1],
    ['active', 'rejected', 'rejected', 0],
    ['unverified', 'rejected', 'active', 0],
    ['unverified', 'active', 'active', 0],
    ['rejected', 'rejected', 'active', 1],
  ])(
    'records a use of a key that was read as %s, is %s, and is found %s: %i changes',
    async ([status, stored, seen, changes]) => {
      await execute(`UPDATE api_keys SET status = '${stored}'`)
      expect(await changesOf(updateStatus({ ...key, status }, { status: seen, at }))).toBe(changes)
      const used = changes === 1 ? at : null
      const state = { status: changes === 1 ? seen : stored, used, verified: null }
      expect(await stateOf()).toEqual(state)
    },
  )

  it.for<[verb: 'records' | 'does not record', name: string, usedAt: string | null]>([
    ['records', 'a first use', null],
    ['records', 'a use an hour after another one', '2026-02-01T11:00:00.000Z'],
    ['does not record', 'a use soon after another one', '2026-02-01T11:00:00.001Z'],
  ])('%s %s', async ([verb, , usedAt]) => {
    await env.DB.prepare('UPDATE api_keys SET last_used_at = ?1').bind(usedAt).run()
    const before = '2026-02-01T11:00:00.000Z'
    const isRecorded = verb === 'records'
    expect(await changesOf(updateUsed(key, { at, before }))).toBe(isRecorded ? 1 : 0)
    expect(await stateOf()).toMatchObject({ used: isRecorded ? at : usedAt })
  })

  it('nothing is recorded of a key that another one has replaced', async () => {
    const replaced = { ...key, updatedAt: '2025-01-01T00:00:00.000Z', status: 'active' } as const
    const changes = [
      await changesOf(updateVerified(replaced, { status: 'rejected', at })),
      await changesOf(updateStatus(replaced, { status: 'rejected', at })),
      await changesOf(updateUsed(replaced, { at, before: at })),
    ]
    expect(changes).toEqual([0, 0, 0])
    expect(await stateOf()).toEqual({ status: 'unverified', used: null, verified: null })
  })
})

describe('rows that move and go', () => {
  const providersOf = async (userId: string) =>
    (await read(selectKeys(userId))).map((row) => ('provider' in row ? row.provider : null))

  it('a row takes over the slot of its name only if that is empty', async () => {
    await run(env.DB, takeOver('b', ['acme', 'openai']))
    expect(await providersOf('b')).toEqual(['acme'])
    await run(env.DB, takeOver('a', ['openai', 'default']))
    expect(new Set(await providersOf('a'))).toEqual(new Set(['default', 'openai']))
  })

  it('a deletion deletes the key of one slot', async () => {
    expect(await changesOf(deleteKey(JANE))).toBe(1)
    expect(await changesOf(deleteKey(JANE))).toBe(0)
    expect(await providersOf('a')).toEqual(['default'])
    expect(await providersOf('b')).toEqual(['openai'])
  })

  it('a resealed key replaces the one that it was made from, and no other', async () => {
    const [one, other] = await read(selectRowsAfter(START, 2))
    if (one === undefined || other === undefined) throw new Error('There are no rows')
    await execute("UPDATE api_keys SET encrypted_api_key = 'later' WHERE user_id = 'a'")
    const resealed = [one, other].map((row) => ({ row, sealed: 'v1.new', fingerprint: 'f' }))
    expect(await changesOf(swapKeys('new', resealed))).toBe(1)
    const rows = await read(selectRowsAfter(START, 2))
    expect(rows.map(({ sealed, kid }) => [sealed, kid])).toEqual([
      ['v1.new', 'new'],
      ['later', 'one'],
    ])
  })
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
    expect(await read(selectRowsAfter(after, 3))).toMatchObject([
      { userId: 'a', provider: 'openai', sealed: 'gAAAAc', kid: 'fernet' },
      { userId: 'b', provider: 'openai', sealed: 'other', kid: 'two' },
    ])
  })

  it('counts rows by kid and form, from the first row or after one', async () => {
    expect(await read(countRowsAfter(START, 10))).toEqual([
      { kid: 'fernet', version: 'fernet', rows: 1 },
      { kid: 'one', version: 'v1', rows: 2 },
      { kid: 'two', version: 'unknown', rows: 1 },
    ])
    expect(await read(countRowsAfter({ userId: 'a', provider: 'default' }, 1))).toEqual([
      { kid: 'fernet', version: 'fernet', rows: 1 },
    ])
  })

  it('finds the slots of the next rows that are under some kids', async () => {
    expect(await read(selectSlotsUnder(['two', 'fernet'], START, { limit: 4, most: 4 }))).toEqual([
      { userId: 'a', provider: 'openai', kid: 'fernet' },
      { userId: 'b', provider: 'openai', kid: 'two' },
    ])
    const fewer = async (kids: string[], limit: number, most: number) =>
      (await read(selectSlotsUnder(kids, START, { limit, most }))).length
    expect(await fewer(['two', 'fernet'], 1, 4)).toBe(0)
    expect(await fewer(['two', 'fernet'], 4, 1)).toBe(1)
    expect(await fewer([], 4, 4)).toBe(0)
  })

  it('finds the last of the next rows, if there are so many', async () => {
    expect(await read(selectNthRowAfter(START, 1))).toEqual([{ userId: '!', provider: 'openai' }])
    expect(await read(selectNthRowAfter(START, 4))).toEqual([{ userId: 'b', provider: 'openai' }])
    expect(await read(selectNthRowAfter(START, 5))).toEqual([])
  })
})
