/** Keys that move from the default slot to a provider's slot. A moved key stays the same key. */

import { beforeEach, describe, expect, it } from 'vitest'
import { isKeyRow } from '../../src/keys/stored-key.ts'
import { selectKey } from '../../src/store/api-keys.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { moveKey, moveKeys, writeLimits, type KeptLimits } from '../../src/store/moved-keys.ts'
import { env } from '../isolate.ts'

const insertKey = async (userId: string, provider: string, sealed: string) =>
  env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status)
     VALUES (?1, ?2, ?3, 'old', 'rejected')`,
  )
    .bind(userId, provider, sealed)
    .run()

/** The rows as `user provider sealed kid status fingerprint revision`. */
async function rows(): Promise<unknown[]> {
  const sql = `SELECT concat_ws(' ', user_id, provider, encrypted_api_key, key_id, status, fingerprint, revision) AS row
    FROM api_keys ORDER BY row`
  return (await env.DB.prepare(sql).all()).results.map(({ row }) => row)
}

const events = async () =>
  (
    await env.DB.prepare('SELECT day, user_id, id, provider, event, actor FROM api_key_events').all<
      Record<string, string>
    >()
  ).results

async function readRow(userId: string, provider: string) {
  const slot = { userId, provider, takesDefault: false }
  const results: readonly object[] = (await run(env.DB, selectKey(slot))).results
  const row = results.find(isKeyRow)
  if (row === undefined) throw new Error('The key is missing')
  return row
}

beforeEach(async () => {
  const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    env.DB.prepare('DELETE FROM api_key_events'),
    ...['ann', 'ben', 'cat'].map((userId) => addUser.bind(userId)),
  ])
})

describe('one key', () => {
  const target = {
    userId: 'ann',
    provider: 'openai',
    sealed: 'v1.new',
    kid: 'new',
    status: 'active',
    fingerprint: 'f',
  } as const

  it('moves a key, with its new seal and status, and returns it', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await insertKey('ben', 'default', 'v1.read')
    const row = await readRow('ann', 'default')
    const { results } = await run(env.DB, moveKey(row, target))
    const { identity } = row
    const { provider, sealed, kid, status } = target
    expect(results).toMatchObject([{ identity, revision: 2, provider, sealed, kid, status }])
    expect(await rows()).toEqual([
      'ann openai v1.new new active f 2',
      'ben default v1.read old rejected 1',
    ])
  })

  it('moves no key and returns no row if the slot has a key already', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await insertKey('ann', 'openai', 'v1.other')
    const before = await rows()
    const { results } = await run(env.DB, moveKey(await readRow('ann', 'default'), target))
    expect([results, await rows()]).toEqual([[], before])
  })

  it.for([
    ['is in another slot', "provider = 'acme'"],
    ['is another one', "identity = 'other'"],
    ['was changed by its owner', 'revision = 2'],
    ['was sealed again', "encrypted_api_key = 'v1.later'"],
    ['has another status', "status = 'unverified'"],
  ])('moves no key that %s since it was read', async ([, change]) => {
    await insertKey('ann', 'default', 'v1.read')
    const row = await readRow('ann', 'default')
    await env.DB.prepare(`UPDATE api_keys SET ${change}`).run()
    const before = await rows()
    const { results } = await run(env.DB, moveKey(row, target))
    expect([results, await rows()]).toEqual([[], before])
  })
})

describe('many keys', () => {
  const moved = ['ann', 'ben', 'cat'].map((userId) => ({
    from: 'v1.read',
    to: {
      userId,
      provider: 'openai',
      sealed: `v1.new.${userId}`,
      kid: 'new',
      fingerprint: userId === 'ann' ? null : 'f',
    },
  }))

  it('moves the keys that are as they were read to empty slots, and notes which', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await insertKey('ben', 'default', 'v1.later')
    await insertKey('cat', 'default', 'v1.read')
    await insertKey('cat', 'openai', 'v1.other')
    const { identity } = await readRow('ann', 'default')
    const [moves] = await runBatch(env.DB, moveKeys('openai', moved))
    expect(moves.results).toEqual([{ userId: 'ann', provider: 'openai' }])
    expect(await rows()).toEqual([
      'ann openai v1.new.ann new rejected 1',
      'ben default v1.later old rejected 1',
      'cat default v1.read old rejected 1',
      'cat openai v1.other old rejected 1',
    ])
    expect((await readRow('ann', 'openai')).identity).toBe(identity)
    const [event, ...others] = await events()
    expect(others).toEqual([])
    const noted = { user_id: 'ann', provider: 'openai', event: 'assigned', actor: 'job' }
    expect(event).toMatchObject(noted)
    expect(event?.['id']).toMatch(new RegExp(`^${event?.['day']}T[\\d:.]{12}Z\\.[0-9a-f]{8}$`))
  })

  it('moves and notes nothing if there are no keys', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await runBatch(env.DB, moveKeys('openai', []))
    expect(await rows()).toEqual(['ann default v1.read old rejected 1'])
    expect(await events()).toEqual([])
  })

  it('seeks each key', async () => {
    await insertKey('ann', 'default', 'v1.read')
    for (let index = 0; index < 50; index += 1) {
      // oxlint-disable-next-line no-await-in-loop -- one key after the other
      await insertKey('ben', `slot-${index}`, 'v1.read')
    }
    const results = await runBatch(env.DB, moveKeys('openai', moved.slice(0, 1)))
    expect(results.reduce((sum, { meta }) => sum + meta.rows_read, 0)).toBeLessThan(20)
  })
})

describe('the limits of a key that takes the place of another one', () => {
  const LIMITS: KeptLimits = {
    pausedAt: '2026-01-01',
    callers: '["binding:chat"]',
    expiresAt: '2027-01-01',
    maxUses: 5,
    maxUsesPer: 'day',
    uses: 3,
    usesIn: '2026-11-29',
  }

  it('limits are written, and a new expiry is not noted yet', async () => {
    await insertKey('ann', 'openai', 'v1.read')
    await env.DB.prepare('UPDATE api_keys SET expiry_noted = 1').run()
    await run(env.DB, writeLimits({ userId: 'ann', provider: 'openai' }, LIMITS))
    expect(await readRow('ann', 'openai')).toMatchObject({ ...LIMITS, revision: 2 })
    const noted = env.DB.prepare('SELECT expiry_noted FROM api_keys')
    expect(await noted.first('expiry_noted')).toBe(0)
  })

  it.for<
    [counted: [usesIn: string | null, uses: number], kept: [usesIn: string | null, uses: number]]
  >([
    [
      ['2026-11-29', 4],
      ['2026-11-29', 4],
    ],
    [
      ['2026-11-29', 2],
      ['2026-11-29', 3],
    ],
    [
      ['2026-11-30', 4],
      ['2026-11-30', 4],
    ],
    [
      ['2026-11-28', 4],
      ['2026-11-29', 3],
    ],
    [
      [null, 0],
      ['2026-11-29', 3],
    ],
  ])('limits keep the uses that were counted meanwhile, %j: %j', async ([counted, kept]) => {
    await insertKey('ann', 'openai', 'v1.read')
    const count = env.DB.prepare('UPDATE api_keys SET uses_in = ?1, uses = ?2')
    await count.bind(...counted).run()
    await run(env.DB, writeLimits({ userId: 'ann', provider: 'openai' }, LIMITS))
    const [usesIn, uses] = kept
    expect(await readRow('ann', 'openai')).toMatchObject({ usesIn, uses })
  })

  it('limits without uses keep a first use that was counted meanwhile', async () => {
    const none = { ...LIMITS, uses: 0, usesIn: null }
    const write = async () => run(env.DB, writeLimits({ userId: 'ann', provider: 'openai' }, none))
    await insertKey('ann', 'openai', 'v1.read')
    await write()
    expect(await readRow('ann', 'openai')).toMatchObject({ uses: 0, usesIn: null })
    await env.DB.prepare("UPDATE api_keys SET uses = 1, uses_in = '2026-11-29'").run()
    await write()
    expect(await readRow('ann', 'openai')).toMatchObject({ uses: 1, usesIn: '2026-11-29' })
  })
})
