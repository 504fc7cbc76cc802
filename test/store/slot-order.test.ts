/** The positions of an owner's keys of one provider, and how many there may be. */

import { beforeEach, expect, it } from 'vitest'
import { foldSlot } from '../../src/shared/slot.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import {
  afterLabelled,
  hasRoom,
  newPosition,
  placeKey,
  renameKey,
} from '../../src/store/slot-order.ts'
import { emptyVault, env } from '../isolate.ts'

beforeEach(emptyVault)

/** Stores keys of `ann` in these slots, each with its position. */
async function store(slots: Record<string, number>) {
  const rows = Object.entries(slots).map(([name, position]) => [name, foldSlot(name), position])
  await env.DB.batch([
    env.DB.prepare("INSERT INTO users (id) VALUES ('ann'), ('ben')"),
    env.DB.prepare(
      `INSERT INTO api_keys (user_id, provider, folded, position, encrypted_api_key, key_id)
       SELECT 'ann', value ->> 0, value ->> 1, value ->> 2, 'v1.x', 'kid' FROM json_each(?1)`,
    ).bind(JSON.stringify(rows)),
  ])
}

const PARAMETERS = { slot: '?2', provider: '?3' }

async function valueOf(sql: typeof newPosition | typeof hasRoom, slot: string, owner = 'ann') {
  const [provider = ''] = slot.split(':')
  const value = `SELECT ${sql(slot, PARAMETERS)} AS value, ?2 || ?3`
  const values = [owner, slot, provider]
  const { results } = await run<{ value: number }>(env.DB, {
    sql: `${value} WHERE ?1 <> ''`,
    values,
  })
  return results[0]?.value
}

it.for<[slots: Record<string, number>, slot: string, position: number]>([
  [{}, 'openai', 0],
  [{}, 'openai:work', 0],
  [{ openai: 0 }, 'openai:work', 1],
  [{ 'openai:work': 0 }, 'openai', 1],
  [{ 'openai:work': 7, openai: 3 }, 'openai:home', 8],
  [{ 'openai:work': 1, 'openai:WORK-2': 4 }, 'openai', 5],
  [{ 'openai-eu': 5, 'openai-eu:work': 6, openai2: 7, default: 8, acme: 9 }, 'openai:work', 0],
  [{ 'openai-eu': 5, 'openai-eu:work': 6, openai2: 7, default: 8, acme: 9 }, 'openai', 0],
])('beside %j, a new key in %s has the position %i', async ([slots, slot, position]) => {
  await store(slots)
  expect(await valueOf(newPosition, slot)).toBe(position)
  expect(await valueOf(newPosition, slot, 'ben')).toBe(0)
})

it('an owner has room for ten keys of a provider, and can replace each', async () => {
  const labels = Array.from({ length: 9 }, (_, index) => [`openai:${index}`, index])
  await store({ ...Object.fromEntries(labels), openai: 9 })
  const full = { code: 'too_many_keys', detail: expect.stringContaining('at most 10 keys') }
  for (const sql of [newPosition, hasRoom]) {
    // oxlint-disable-next-line no-await-in-loop
    await expect(valueOf(sql, 'openai:more')).rejects.toMatchObject(full)
    // oxlint-disable-next-line no-await-in-loop
    expect(await valueOf(sql, 'openai:3')).toBeGreaterThan(0)
  }
  expect(await valueOf(hasRoom, 'openai')).toBe(1)
  expect(await valueOf(hasRoom, 'acme:more')).toBe(1)
})

it('the position after labelled keys is 0 without any', async () => {
  await store({ openai: 4, 'acme:a': 2 })
  const after = (provider: string) => afterLabelled("'ann'", `'${provider}'`)
  const sql = `SELECT ${after('openai')} AS openai, ${after('acme')} AS acme`
  expect((await run(env.DB, { sql, values: [] })).results).toEqual([{ openai: 0, acme: 3 }])
})

const all = async (sql: string) => (await run<object>(env.DB, { sql, values: [] })).results

const OPENAI = { userId: 'ann', provider: 'openai' }

it('a key that gets a label keeps what its members have used', async () => {
  await store({ openai: 0 })
  await env.DB.prepare(
    "INSERT INTO member_uses VALUES ('ann', 'openai', 'ben', '2026-11', 7, 'm')",
  ).run()
  await run(env.DB, renameKey(OPENAI, 'openai:work'))
  expect(await all('SELECT user_id, provider, member, uses FROM member_uses')).toEqual([
    { user_id: 'ann', provider: 'openai:work', member: 'ben', uses: 7 },
  ])
})

it('no import brings back the key of a slot that was renamed', async () => {
  const imported = { ...OPENAI, savedAt: '2026-01-01T00:00:00.000Z', token: 'gAAAAA' }
  await importRows(env.DB, [imported])
  const marks = await all('SELECT * FROM imported_keys')
  await run(env.DB, renameKey(OPENAI, 'openai:work'))
  await importRows(env.DB, [imported])
  expect(await all('SELECT provider FROM api_keys')).toEqual([{ provider: 'openai:work' }])
  expect(await all('SELECT * FROM imported_keys')).toEqual(marks)
})

it('an imported key comes after the labelled keys of its provider', async () => {
  await store({ 'openai:a': 0, 'openai:b': 3 })
  await importRows(env.DB, [{ ...OPENAI, savedAt: '2026-01-01T00:00:00.000Z', token: 'gAAAAA' }])
  const position = "SELECT position FROM api_keys WHERE provider = 'openai'"
  expect(await all(position)).toEqual([{ position: 4 }])
})

it('positions with gaps and ties are in order after a move', async () => {
  await store({ openai: 4, 'openai:a': 4, 'openai:b': 9, acme: 4 })
  await run(
    env.DB,
    placeKey({ ...OPENAI, provider: 'openai:b' }, { position: 1, isRenamed: false }),
  )
  expect(await all('SELECT provider, position, revision FROM api_keys ORDER BY 2, 1')).toEqual([
    { provider: 'openai', position: 0, revision: 1 },
    { provider: 'openai:b', position: 1, revision: 2 },
    { provider: 'openai:a', position: 2, revision: 1 },
    { provider: 'acme', position: 4, revision: 1 },
  ])
})

it('a name that nobody has is not moved with the key that has the new name', async () => {
  await store({ 'openai:a': 0, 'openai:b': 1 })
  const before = await all('SELECT * FROM api_keys')
  await runBatch(env.DB, [
    renameKey(OPENAI, 'openai:b'),
    placeKey({ ...OPENAI, provider: 'openai:b' }, { position: 0, isRenamed: true }),
  ])
  expect(await all('SELECT * FROM api_keys')).toEqual(before)
})
