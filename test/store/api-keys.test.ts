/** The statements on sealed keys: which row they read, and what they change in it. */

import { beforeEach, describe, expect, it } from 'vitest'
import type { KeyStatus } from '../../src/shared/slot.ts'
import {
  selectKey,
  selectKeys,
  selectSaved,
  updateState,
  updateUsed,
  updateVerified,
  upsertKey,
  type NewRow,
} from '../../src/store/api-keys.ts'
import { isNotMoved, run, type Statement } from '../../src/store/d1.ts'
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
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at, identity)
     VALUES (?1, ?2, ?3, ?4, '${OLD}', 'old ' || ?3)`,
  )
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    ...['!', 'a', 'b', 'empty'].map((userId) => addUser.bind(userId)),
    ...ROWS.map((row) => addKey.bind(...row)),
  ])
})

const JANE = { userId: 'a', provider: 'openai' }
const NEW_KEY: NewRow = {
  sealed: 'v1.new',
  kid: 'new',
  savedBy: null,
  status: 'active',
  exhaustedAt: null,
  expiresAt: null,
  fingerprints: ['f', 'g'],
}

describe('the key of a slot', () => {
  const sealedOf = async (userId: string, provider: string, takesDefault = false) => {
    const rows = await read(selectKey({ userId, provider, takesDefault }))
    return rows.map(({ sealed }) => sealed)
  }

  it.for<[name: string, rows: (string | null)[], userId: string, provider: string]>([
    ['no row for an unknown user', [], 'nobody', 'openai'],
    ['no key for an empty slot', [null], 'a', 'acme'],
    ['no key for a user without keys', [null], 'empty', 'openai'],
    ['its own row', ['v1.one.b'], 'a', 'default'],
    ['its own row, not the one of another slot', ['gAAAAc'], 'a', 'openai'],
  ])('a slot has %s', async ([, rows, userId, provider]) => {
    expect(await sealedOf(userId, provider)).toEqual(rows)
  })

  it.for<[name: string, userId: string, rows: (string | null)[] | 'not moved']>([
    ['its user has a key of the plain route', 'a', 'not moved'],
    ['its user has no key of the plain route', 'b', ['other']],
    ['its user has no key', 'empty', [null]],
    ['its user does not exist', 'nobody', []],
  ])('a slot that takes the key of the plain route: %s', async ([, userId, rows]) => {
    const found = await sealedOf(userId, 'openai', true).catch((error: unknown) =>
      isNotMoved(error) ? 'not moved' : error,
    )
    expect(found).toEqual(rows)
  })

  it('a key is read with the random ids of the key and the user', async () => {
    const user = await env.DB.prepare("SELECT identity FROM users WHERE id = 'a'").first('identity')
    const [row] = await read(selectKey({ ...JANE, takesDefault: false }))
    expect(row).toMatchObject({ identity: 'old gAAAAc', revision: 1, userIdentity: user })
  })

  it('lists the keys of a user, or that there are none', async () => {
    const sealed = async (userId: string) =>
      (await read(selectKeys(userId))).map((row) => row.sealed)
    expect(new Set(await sealed('a'))).toEqual(new Set(['v1.one.b', 'gAAAAc']))
    expect([await sealed('empty'), await sealed('nobody')]).toEqual([[null], []])
  })
})

describe('a save', () => {
  const save = async (changes: Partial<NewRow & typeof JANE> = {}) => {
    const { userId, provider, ...key } = { ...JANE, ...NEW_KEY, ...changes }
    return read(upsertKey({ userId, provider }, key))
  }

  it('replaces the key by another one, and keeps what its owner allows', async () => {
    await execute(`UPDATE api_keys SET paused_at = '2026-02', last_used_at = '2026-03',
      last_verified_at = '2026-04', expires_at = '2026-05', expiry_noted = 1, callers = '[]',
      max_uses = 5, max_uses_per = 'day', uses = 3, uses_in = '2026-11-29'`)
    const [row] = await save()
    expect(row).toMatchObject({
      ...JANE,
      sealed: 'v1.new',
      kid: 'new',
      identity: expect.stringMatching(/^[0-9a-f]{32}$/),
      revision: 2,
      status: 'active',
      exhaustedAt: null,
      pausedAt: '2026-02',
      callers: '[]',
      maxUses: 5,
      maxUsesPer: 'day',
      uses: 3,
      usesIn: '2026-11-29',
      lastUsedAt: null,
      lastVerifiedAt: null,
      expiresAt: null,
    })
    const noted =
      "SELECT expiry_noted AS noted FROM api_keys WHERE provider = 'openai' AND user_id = 'a'"
    expect(await env.DB.prepare(noted).first('noted')).toBe(0)
  })

  it('the first key of a slot has the first revision, and each key another identity', async () => {
    const saved = [...(await save({ provider: 'acme' })), ...(await save({ provider: 'mistral' }))]
    expect(saved.map(({ revision }) => revision)).toEqual([1, 1])
    const again = await save({ provider: 'acme' })
    const identities = [...saved, ...again].map(({ identity }) => identity)
    expect(new Set(identities).size).toBe(3)
  })

  it('a saved key has the time of D1', async () => {
    const [row] = await save()
    expect(Math.abs(Date.parse(row?.updatedAt ?? '') - Date.now())).toBeLessThan(60_000)
  })

  it('a save changes no row of a user who does not exist', async () => {
    expect(await save({ userId: 'nobody' })).toEqual([])
    expect(await read(selectKeys('nobody'))).toEqual([])
  })

  it.for<[fingerprints: string[], sameIn: string[]]>([
    [['f', 'g'], ['default']],
    [['new', 'f'], ['default']],
    [['new'], []],
    [[], []],
  ])('a key with the fingerprints %j is also in %j', async ([fingerprints, sameIn]) => {
    await execute("UPDATE api_keys SET fingerprint = 'f'")
    const [row] = await save({ fingerprints })
    expect(JSON.parse(row?.sameIn ?? '')).toEqual(sameIn)
    const [again] = await read(selectSaved(JANE, fingerprints))
    expect(again).toEqual(row)
    const stored = "SELECT fingerprint FROM api_keys WHERE user_id = 'a' AND provider = 'openai'"
    expect(await env.DB.prepare(stored).first('fingerprint')).toBe(fingerprints[0] ?? null)
  })
})

describe('what is recorded of a key', () => {
  const key = { ...JANE, identity: 'old gAAAAc', status: 'unverified', exhaustedAt: null } as const
  const at = '2026-02-01T12:00:00.000Z'
  const stateOf = async () =>
    env.DB.prepare(
      `SELECT status, last_used_at AS used, last_verified_at AS verified FROM api_keys
       WHERE user_id = 'a' AND provider = 'openai'`,
    ).first()

  it('a check sets the status and its time', async () => {
    expect(
      await changesOf(updateVerified(key, { status: 'rejected', exhaustedAt: null, at })),
    ).toBe(1)
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
    // An answer that a rejected key is out of credit does not reject it once more.
    ['rejected', 'active', 'rejected', 0],
  ])(
    'records a use of a key that was read as %s, is %s, and is found %s: %i changes',
    async ([status, stored, seen, changes]) => {
      await execute(`UPDATE api_keys SET status = '${stored}'`)
      expect(
        await changesOf(updateState({ ...key, status }, { status: seen, exhaustedAt: null, at })),
      ).toBe(changes)
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

  it.for<[read: KeyStatus, stored: KeyStatus, seen: KeyStatus, changes: number]>([
    ['unverified', 'unverified', 'active', 1],
    ['active', 'active', 'active', 1],
    ['unverified', 'active', 'rejected', 1],
    ['rejected', 'rejected', 'active', 1],
    ['unverified', 'rejected', 'active', 0],
    ['active', 'rejected', 'unverified', 0],
    ['unverified', 'rejected', 'rejected', 1],
  ])(
    'records a check of a key that was read as %s, is %s, and is found %s: %i changes',
    async ([status, stored, seen, changes]) => {
      await execute(`UPDATE api_keys SET status = '${stored}'`)
      expect(
        await changesOf(
          updateVerified({ ...key, status }, { status: seen, exhaustedAt: null, at }),
        ),
      ).toBe(changes)
      expect(await stateOf()).toMatchObject({ status: changes === 1 ? seen : stored })
    },
  )

  it('nothing is recorded of a key that another one has replaced', async () => {
    const replaced = { ...key, identity: 'another' }
    const changes = [
      await changesOf(updateVerified(replaced, { status: 'rejected', exhaustedAt: null, at })),
      await changesOf(updateState(replaced, { status: 'rejected', exhaustedAt: null, at })),
      await changesOf(updateUsed(replaced, { at, before: at })),
    ]
    expect(changes).toEqual([0, 0, 0])
    expect(await stateOf()).toEqual({ status: 'unverified', used: null, verified: null })
  })

  it('a key that was renamed meanwhile is the same key', async () => {
    await execute(
      "UPDATE api_keys SET provider = 'openai:work', folded = 'openai:work' WHERE user_id = 'a' AND provider = 'openai'",
    )
    const changes = [
      await changesOf(updateUsed(key, { at, before: at })),
      await changesOf(updateState(key, { status: 'active', exhaustedAt: null, at })),
      await changesOf(updateVerified(key, { status: 'rejected', exhaustedAt: null, at })),
    ]
    expect(changes).toEqual([1, 1, 1])
  })

  it('what is recorded raises no revision', async () => {
    await changesOf(updateVerified(key, { status: 'rejected', exhaustedAt: null, at }))
    await changesOf(
      updateState({ ...key, status: 'rejected' }, { status: 'active', exhaustedAt: null, at }),
    )
    await changesOf(updateUsed(key, { at, before: at }))
    const sql = "SELECT revision FROM api_keys WHERE user_id = 'a' AND provider = 'openai'"
    expect(await env.DB.prepare(sql).first('revision')).toBe(1)
  })
})
