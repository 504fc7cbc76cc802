/** Keys that were sealed again, in their slot or for a provider's slot. Each stays the same key. */

import { beforeEach, describe, expect, it } from 'vitest'
import { isKeyRow } from '../../src/keys/stored-key.ts'
import { selectKey } from '../../src/store/api-keys.ts'
import { selectRowsAfter, START } from '../../src/store/all-keys.ts'
import { run, runBatch, type Statement } from '../../src/store/d1.ts'
import { moveKey, moveKeys, swapKeys } from '../../src/store/resealed-keys.ts'
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
    exhaustedAt: null,
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

  it('moves no key if the slot has a key already', async () => {
    await insertKey('ann', 'default', 'v1.read')
    await insertKey('ann', 'openai', 'v1.other')
    const before = await rows()
    const move = moveKey(await readRow('ann', 'default'), target)
    await expect(run(env.DB, move)).rejects.toMatchObject({ code: 'api_key_exists' })
    expect(await rows()).toEqual(before)
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
    row: { userId, identity: '', provider: 'default', sealed: 'v1.read', kid: 'old' },
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

describe('keys in their own slots', () => {
  const read = async () => (await run(env.DB, selectRowsAfter(START, 3))).results
  const changesOf = async (statement: Statement) => (await run(env.DB, statement)).meta.changes

  beforeEach(async () => {
    await insertKey('ann', 'openai', 'v1.a')
    await insertKey('ben', 'default', 'v1.b')
    await insertKey('ben', 'openai', 'gAAAAc')
    await insertKey('cat', 'openai', 'other')
    await env.DB.exec('UPDATE api_keys SET identity = provider')
  })

  async function resealed() {
    const found = await read()
    return found.map((row, index) => ({
      row,
      to: {
        userId: row.userId,
        provider: row.provider,
        sealed: `v1.new.${row.userId}`,
        kid: 'new',
        fingerprint: index === 0 ? null : 'f',
      },
    }))
  }

  it('a resealed key replaces the one that it was made from, and no other', async () => {
    const keys = await resealed()
    const later = "UPDATE api_keys SET encrypted_api_key = 'later' WHERE provider = 'default'"
    await env.DB.prepare(later).run()
    expect(await changesOf(swapKeys('new', keys.slice(0, 2)))).toBe(1)
    const found = await read()
    expect(found.map(({ sealed, kid }) => [sealed, kid])).toEqual([
      ['v1.new.ann', 'new'],
      ['later', 'old'],
      ['gAAAAc', 'old'],
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

  it('a write seeks each owner', async () => {
    const { meta } = await run(env.DB, swapKeys('new', (await resealed()).slice(0, 1)))
    expect(meta.rows_read).toBeLessThan(5)
  })
})
