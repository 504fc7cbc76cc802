/** Keys that move from the default slot to a provider's slot. */

import { beforeEach, describe, expect, it } from 'vitest'
import { run } from '../../src/store/d1.ts'
import { moveKey, moveKeys, noteMovedKeys } from '../../src/store/moved-keys.ts'
import { env } from '../isolate.ts'

const insertKey = async (userId: string, provider: string, sealed: string) =>
  env.DB.prepare(
    `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status)
     VALUES (?1, ?2, ?3, 'old', 'rejected')`,
  )
    .bind(userId, provider, sealed)
    .run()

/** The rows as `user provider sealed kid status`. */
async function rows(): Promise<unknown[]> {
  const sql = `SELECT concat_ws(' ', user_id, provider, encrypted_api_key, key_id, status) AS row
    FROM api_keys ORDER BY row`
  return (await env.DB.prepare(sql).all()).results.map(({ row }) => row)
}

const events = async () =>
  (
    await env.DB.prepare('SELECT day, user_id, id, provider, event, actor FROM api_key_events').all<
      Record<string, string>
    >()
  ).results

beforeEach(async () => {
  const addUser = env.DB.prepare('INSERT INTO users (id) VALUES (?1)')
  await env.DB.batch([
    env.DB.prepare('DELETE FROM users'),
    env.DB.prepare('DELETE FROM api_key_events'),
    ...['ann', 'ben', 'cat'].map((userId) => addUser.bind(userId)),
  ])
})

describe('one key', () => {
  const row = { userId: 'ann', provider: 'default', sealed: 'v1.read', kid: 'old' }
  const sealed = { sealed: 'v1.new', kid: 'new', status: 'active', fingerprint: 'f' } as const
  const move = async () => (await run(env.DB, moveKey(row, 'openai', sealed))).results

  it('moves a key, with its new seal and status, and returns it', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await insertKey('ben', 'default', 'v1.read')
    expect(await move()).toMatchObject([{ userId: 'ann', provider: 'openai', sealed: 'v1.new' }])
    expect(await rows()).toEqual([
      'ann openai v1.new new active',
      'ben default v1.read old rejected',
    ])
  })

  it.for<[name: string, provider: string, sealed: string]>([
    ['the slot has a key already', 'openai', 'v1.other'],
    ['the key is in another slot', 'acme', 'v1.read'],
  ])('moves no key and returns no row if %s', async ([, provider, other]) => {
    if (provider === 'openai') await insertKey('ann', 'default', 'v1.read')
    await insertKey('ann', provider, other)
    const before = await rows()
    expect(await move()).toEqual([])
    expect(await rows()).toEqual(before)
  })

  it('moves no key that has changed since it was read', async () => {
    await insertKey('ann', 'default', 'v1.later')
    expect(await move()).toEqual([])
    expect(await rows()).toEqual(['ann default v1.later old rejected'])
  })
})

describe('many keys', () => {
  const moved = ['ann', 'ben', 'cat'].map((userId) => {
    return { userId, from: 'v1.read', sealed: `v1.new.${userId}` }
  })

  it('moves the keys that are as they were read to empty slots, and notes which', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await insertKey('ben', 'default', 'v1.later')
    await insertKey('cat', 'default', 'v1.read')
    await insertKey('cat', 'openai', 'v1.other')
    await run(env.DB, moveKeys('openai', 'new', moved))
    await run(env.DB, noteMovedKeys('openai', moved))
    expect(await rows()).toEqual([
      'ann openai v1.new.ann new rejected',
      'ben default v1.later old rejected',
      'cat default v1.read old rejected',
      'cat openai v1.other old rejected',
    ])
    const [event, ...others] = await events()
    expect(others).toEqual([])
    const noted = { user_id: 'ann', provider: 'openai', event: 'assigned', actor: 'job' }
    expect(event).toMatchObject(noted)
    expect(event?.['id']).toMatch(new RegExp(`^${event?.['day']}T[\\d:.]{12}Z\\.[0-9a-f]{8}$`))
  })

  it('moves and notes nothing if there are no keys', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await run(env.DB, moveKeys('openai', 'new', []))
    await run(env.DB, noteMovedKeys('openai', []))
    expect(await rows()).toEqual(['ann default v1.read old rejected'])
    expect(await events()).toEqual([])
  })
})
