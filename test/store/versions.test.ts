/** The version of a slot's key, and what a change may ask of it. */

import { beforeEach, describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import type { RowNames } from '../../src/store/api-keys.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { requireVersion, selectVersion, type Condition } from '../../src/store/versions.ts'
import { env } from '../isolate.ts'

const [OLD, NOON, LATE] = ['2026-01-01', '2026-01-02', '2026-01-03']

/** A user with a key in two slots, the later one in `openai`, and a user without a key. */
beforeEach(async () => {
  const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  const addKey = env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
     VALUES ('jane', ?1, 'v1.x', 'x', ?2)`,
  )
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    addUser.bind('jane'),
    addUser.bind('empty'),
    addKey.bind('default', OLD),
    addKey.bind('openai', NOON),
  ])
})

it.for<[userId: string, names: RowNames, isUser: number, version: string | null]>([
  ['jane', ['openai'], 1, NOON],
  ['jane', ['default'], 1, OLD],
  ['jane', ['openai', 'default'], 1, NOON],
  ['jane', ['acme', 'default'], 1, OLD],
  ['jane', ['acme'], 1, null],
  ['empty', ['openai'], 1, null],
  ['nobody', ['openai'], 0, null],
])(
  'finds for %s in the slots %j: user %i, version %j',
  async ([userId, names, isUser, version]) => {
    const [seen] = (await run(env.DB, selectVersion(userId, names))).results
    expect(seen).toEqual({ isUser, version, at: expect.stringMatching(/^20.*Z$/) })
    const off = Date.parse(seen?.at ?? '') - Date.now()
    expect(Math.abs(off)).toBeLessThan(60_000)
  },
)

describe('a condition', () => {
  const before = { kind: 'not later', seen: null, at: OLD } as const
  const same = { kind: 'not later', seen: NOON, at: OLD } as const

  it.for<[outcome: 'holds' | 'fails', slot: string, condition: Condition]>([
    ['holds', 'openai', { kind: 'present' }],
    ['fails', 'acme', { kind: 'present' }],
    ['holds', 'acme', { kind: 'empty' }],
    ['fails', 'openai', { kind: 'empty' }],
    ['holds', 'openai', { kind: 'one of', versions: [LATE, NOON] }],
    ['fails', 'openai', { kind: 'one of', versions: [LATE] }],
    ['fails', 'openai', { kind: 'one of', versions: [] }],
    ['fails', 'acme', { kind: 'one of', versions: [''] }],
    ['holds', 'openai', same],
    ['holds', 'openai', { ...same, seen: null, at: NOON }],
    ['fails', 'openai', before],
    ['fails', 'openai', { ...before, seen: LATE }],
    ['holds', 'acme', before],
    // The key that was seen is gone.
    ['fails', 'acme', same],
  ])('a condition %s in the slot %s: %j', async ([outcome, slot, condition]) => {
    const checked = await run(env.DB, requireVersion('jane', [slot], condition)).then(
      () => 'holds',
      (error: unknown) => VaultError.from(error).code,
    )
    expect(checked).toBe(outcome === 'holds' ? outcome : 'changed_meanwhile')
  })

  it('a condition is about the later of two rows', async () => {
    const names = ['openai', 'default'] as const
    const later = requireVersion('jane', names, { kind: 'one of', versions: [NOON] })
    await expect(run(env.DB, later)).resolves.toBeDefined()
    const older = requireVersion('jane', names, { kind: 'one of', versions: [OLD] })
    await expect(run(env.DB, older)).rejects.toMatchObject({ code: 'changed_meanwhile' })
  })

  it('a condition does not fail for a user who does not exist', async () => {
    const statement = requireVersion('nobody', ['openai'], { kind: 'present' })
    await expect(run(env.DB, statement)).resolves.toMatchObject({ results: [] })
  })

  it('a condition that fails keeps its whole batch from being done', async () => {
    const batch = runBatch(env.DB, [
      { sql: 'DELETE FROM api_keys', values: [] },
      requireVersion('jane', ['openai'], { kind: 'present' }),
    ])
    await expect(batch).rejects.toMatchObject({ code: 'changed_meanwhile' })
    expect(await env.DB.prepare('SELECT count(*) AS n FROM api_keys').first('n')).toBe(2)
  })
})
