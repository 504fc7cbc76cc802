/** The rewrap job with `DEFAULT_PROVIDER`: how it moves the plain route's keys to that provider's slot. */

import { beforeEach, describe, expect, it } from 'vitest'
import { env } from '../isolate.ts'
import { recordLogs, someEncryptionKey, storedKey } from '../support.ts'
import {
  clearRows,
  countStatements,
  storeKeys,
  isPassDue,
  openedKeys,
  passRow,
  runJob,
  runPass,
  someKeys,
  withKeys,
} from './sealed-rows.ts'

const [OLD, NEW] = [someEncryptionKey(), someEncryptionKey()]
const before = withKeys(OLD)
const vault = { ...before, DEFAULT_PROVIDER: 'openai' }

const query = async (sql: string) => (await env.DB.prepare(sql).all()).results
const SLOTS = 'SELECT provider, count(*) AS rows FROM api_keys GROUP BY provider'
const KEPT = `SELECT user_id, identity, revision, status, updated_at, paused_at, callers, max_uses, expires_at
  FROM api_keys ORDER BY user_id`

/** Gives every key of a slot another time and another limit. */
const change = async (slot: string, assignments: string) =>
  env.DB.prepare(`UPDATE api_keys SET ${assignments} WHERE provider = ?1`).bind(slot).run()

beforeEach(async () => {
  await clearRows()
  await env.DB.prepare('DELETE FROM api_key_events').run()
})

describe('the plain route’s keys', () => {
  it.for<[name: string, keys: string[]]>([
    ['the same encryption key', [OLD]],
    ['a new encryption key', [NEW, OLD]],
  ])('move to the slot of DEFAULT_PROVIDER, sealed under %s', async ([, encryptionKeys]) => {
    const keys = await someKeys(5, before)
    await change('default', "paused_at = '2026-01-01T00:00:00.000Z', max_uses = 7, revision = 3")
    await runPass(before)
    const kept = await query(KEPT)
    const moving = { ...withKeys(...encryptionKeys), DEFAULT_PROVIDER: 'openai' }
    expect(await isPassDue(moving)).toBe(true)
    await runPass(moving)
    expect(await query(SLOTS)).toEqual([{ provider: 'openai', rows: 5 }])
    expect(await openedKeys(withKeys(encryptionKeys[0] ?? ''))).toEqual(keys)
    expect(await query(KEPT)).toEqual(kept)
    expect(await isPassDue(moving)).toBe(false)
    const events = 'SELECT DISTINCT provider, event, actor, count(*) AS rows FROM api_key_events'
    expect(await query(events)).toEqual([
      { provider: 'openai', event: 'assigned', actor: 'job', rows: 5 },
    ])
  })

  it.for(['default', 'openai'])(
    'the job keeps the later key of a slot with two rows, with the limits of both (%s)',
    async (later) => {
      const earlier = await someKeys(3, before)
      const others = new Map(Array.from(earlier.keys(), (id) => [id, `sk-other-of-${id}`]))
      await storeKeys(others, before, 'openai')
      await change('default', "paused_at = '2026-01-01T00:00:00.000Z'")
      await change('openai', `max_uses = 5, max_uses_per = 'day', callers = '["binding:a"]'`)
      await change(later, "updated_at = '2027-01-01T00:00:00.000Z'")
      await runPass(vault)
      expect(await openedKeys(before)).toEqual(later === 'default' ? earlier : others)
      expect(await query(SLOTS)).toEqual([{ provider: 'openai', rows: 3 }])
      const limits = { paused_at: expect.any(String), max_uses: 5, callers: '["binding:a"]' }
      expect(await query(KEPT)).toMatchObject([limits, limits, limits])
    },
  )

  it('stay if they do not open, and move when their encryption key is back', async () => {
    const keys = await someKeys(2, before)
    const without = { ...withKeys(NEW), DEFAULT_PROVIDER: 'openai' }
    await runPass(without)
    expect(await query(SLOTS)).toEqual([{ provider: 'default', rows: 2 }])
    await runPass({ ...withKeys(NEW, OLD), DEFAULT_PROVIDER: 'openai' })
    expect(await query(SLOTS)).toEqual([{ provider: 'openai', rows: 2 }])
    expect(await openedKeys(withKeys(NEW))).toEqual(keys)
  })

  it('stay where they are without DEFAULT_PROVIDER, also after it is removed', async () => {
    const [userId = ''] = (await someKeys(1, before)).keys()
    await runPass(vault)
    await someKeys(1, before)
    await runPass(before)
    expect(await query(SLOTS)).toEqual([
      { provider: 'default', rows: 1 },
      { provider: 'openai', rows: 1 },
    ])
    expect(await storedKey(userId, before, 'openai')).not.toBeNull()
  })

  it('two versions with different values of DEFAULT_PROVIDER that alternate only begin passes', async () => {
    await someKeys(2, before)
    const [earlier, logs] = [await query('SELECT * FROM api_keys'), recordLogs()]
    for (let turn = 0; turn < 3; turn += 1) {
      await runJob(vault)
      await runJob({ ...before, DEFAULT_PROVIDER: 'anthropic' })
      await runJob(before)
    }
    expect(await query('SELECT * FROM api_keys')).toEqual(earlier)
    expect(new Set(logs.events().map(({ event }) => event))).toEqual(new Set(['rewrap_begun']))
    await runPass(vault)
    expect(await query(SLOTS)).toEqual([{ provider: 'openai', rows: 2 }])
  })
})

describe('the statements of a run', () => {
  it.for<[name: string, rows: string, most: number]>([
    ['on the free plan, with its 50 statements', '', 32],
    ['on the paid plan, with its 1,000 statements', '40000', 850],
  ])('stay few %s, although each key meets another one', async ([, rows, most]) => {
    const keys = await someKeys(110, before)
    const others = new Map(Array.from(keys.keys(), (id) => [id, `sk-other-of-${id}`]))
    await storeKeys(others, before, 'openai')
    await change('default', "updated_at = '2027-01-01T00:00:00.000Z'")
    const runs = await countStatements({ ...vault, REWRAP_ROWS_PER_RUN: rows })
    expect(Math.max(...runs)).toBeLessThanOrEqual(most)
    expect(await query(SLOTS)).toEqual([{ provider: 'openai', rows: 110 }])
    expect(await openedKeys(before)).toEqual(keys)
    expect(await passRow()).toMatchObject({ finished_at: expect.any(String) })
  })
})
