/** The job that copies which keys are gone, and deletes those that a restored D1 has again. */

import { env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { EXCHANGED_AT_ONCE } from '../../src/deletions.ts'
import { removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { interceptD1, recordLogs, seenByProvider, someEncryptionKey, someUser } from '../support.ts'
import {
  age,
  backUp,
  failingDeletions,
  goneOf,
  heartbeat,
  keysOf,
  rowsOf,
  someCopiedOwner,
  someRestored,
  someVault,
  versionOf,
} from './restoration.ts'

/** The real D1, which does `work` before each round trip. */
const interruptedD1 = (work: (trip: number) => unknown) => {
  let trips = 0
  return interceptD1(async (trip) => {
    trips += 1
    await work(trips)
    return trip()
  })
}

it('the job empties the table of keys that are gone', async () => {
  const { userId } = await someCopiedOwner()
  const { remove, runJob } = someVault()
  await remove(userId)
  expect(await goneOf(userId)).toHaveLength(1)
  await runJob()
  expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
})

it('the job does nothing without the binding DELETIONS', async () => {
  const { userId } = await someCopiedOwner()
  await age(10)
  const before = await heartbeat()
  await someVault().remove(userId)
  await someVault({ DELETIONS: undefined }).runJob()
  expect([await heartbeat(), await goneOf(userId)]).toEqual([before, [expect.anything()]])
})

it('the job runs two batches of two statements if nothing is to be deleted', async () => {
  await someVault().runJob()
  const counts: number[] = []
  const DB = interceptD1(async (trip) => {
    const results = await trip()
    counts.push(Array.isArray(results) ? results.length : 1)
    return results
  })
  await someVault({ DB }).runJob()
  expect(counts).toEqual([2, 2])
})

it('the job goes on if D1 lacks the row of the heartbeat', async () => {
  const { userId } = await someCopiedOwner()
  const { remove, runJob } = someVault()
  const restore = await backUp()
  await remove(userId)
  await env.DB.prepare('DELETE FROM heartbeat').run()
  await runJob()
  expect(await goneOf(userId)).toEqual([])
  await restore()
  await runJob()
  expect(await keysOf(userId)).toEqual([])
})

describe('the job in a restored D1', () => {
  it.for([[10], [0]])(
    'deletes from a database of %i minutes ago what is gone, and nothing else',
    async ([minutes]) => {
      const { kept, removed, ...gone } = await someRestored(minutes)
      const logs = recordLogs()
      const { runJob, use, calls } = someVault()
      await runJob()
      await runJob()
      const events = 'SELECT event FROM api_key_events WHERE user_id = ?1 AND actor = ?2'
      for (const { userId } of Object.values(gone)) {
        // oxlint-disable-next-line no-await-in-loop -- a failure names the first user
        expect([await keysOf(userId), await rowsOf(events, userId, 'job')]).toEqual([
          [],
          [{ event: 'deleted' }],
        ])
      }
      expect(await keysOf(kept.userId)).toEqual([{ provider: 'openai' }])
      expect(await rowsOf('SELECT * FROM users WHERE id = ?1', removed.userId)).toEqual([])
      const trail = 'SELECT * FROM api_key_events WHERE user_id = ?1'
      expect(await rowsOf(trail, removed.userId)).toEqual([])
      const logged = { level: 'info', event: 'restored_keys_deleted', keys: 4, users: 1 }
      expect(logs.events()).toEqual([logged])
      const before = calls()
      expect([await use(kept.userId), calls()]).toEqual([200, before])
    },
  )

  it('removes a user again who had no key', async () => {
    const { runJob } = someVault()
    const userId = await someUser()
    await runJob()
    const restore = await backUp()
    await removeUser(await openService(env), userId)
    await runJob()
    await restore()
    const logs = recordLogs()
    await runJob()
    expect(await rowsOf('SELECT * FROM users WHERE id = ?1', userId)).toEqual([])
    expect(logs.events()).toMatchObject([{ event: 'restored_keys_deleted', keys: 0, users: 1 }])
  })

  it('notes that no import brings the keys back, while users move in', async () => {
    const { deleted, removed, kept } = await someRestored()
    await someVault({ LEGACY_FERNET_KEY: someEncryptionKey() }).runJob()
    const sql = 'SELECT provider FROM imported_keys WHERE user_id = ?1 ORDER BY provider'
    expect(await rowsOf(sql, deleted.userId)).toEqual([{ provider: 'openai' }])
    expect(await rowsOf(sql, removed.userId)).toEqual([{ provider: '' }, { provider: 'openai' }])
    expect(await rowsOf(sql, kept.userId)).toEqual([])
  })

  it('sends each deletion to the queue of events', async () => {
    const { deleted, kept } = await someRestored()
    const sent: { user_id: string; event: string }[] = []
    const sendBatch = async (messages: { body: { user_id: string; event: string } }[]) =>
      void sent.push(...messages.map(({ body }) => body))
    await someVault({ EVENTS_QUEUE: { send: null, sendBatch } }).runJob()
    const of = (userId: string) => sent.filter(({ user_id }) => user_id === userId)
    expect(of(deleted.userId)).toMatchObject([{ event: 'deleted', by: 'job' }])
    expect(of(kept.userId)).toEqual([])
  })

  it('does no harm in two runs at once', async () => {
    const { kept, deleted } = await someRestored()
    await Promise.all([someVault().runJob(), someVault().runJob()])
    expect(await keysOf(kept.userId)).toHaveLength(1)
    expect(await keysOf(deleted.userId)).toEqual([])
    expect(await someVault({ DELETIONS: failingDeletions() }).use(kept.userId)).toBe(200)
  })

  it('works off more keys than a run takes, and D1 counts as old until then', async () => {
    const { userId, apiKey } = await someCopiedOwner()
    const { runJob, use } = someVault()
    await age(10)
    const store = env.DELETIONS.getByName('deletions')
    const goneAt = new Date().toISOString()
    const key = { provider: 'openai', version: `${await versionOf(userId)}`, goneAt }
    const others = Array.from({ length: 3 * EXCHANGED_AT_ONCE }, (_, index) => `${userId}-${index}`)
    const keys = [...others, userId].map((id) => Object.assign({ userId: id }, key))
    await store.exchange(0, keys)
    await runJob()
    expect([await keysOf(userId), await use(userId)]).toEqual([
      [{ provider: 'openai' }],
      'no_api_key',
    ])
    await runJob()
    expect(await keysOf(userId)).toEqual([])
    expect(await seenByProvider(apiKey)).toEqual([])
  })
})

it('the job copies in one run more keys than an exchange takes', async () => {
  const { runJob } = someVault()
  await runJob()
  const userId = await someUser()
  const versions = Array.from({ length: EXCHANGED_AT_ONCE + 1 }, (_, index) => `${index}`)
  await rowsOf(
    `INSERT INTO gone_keys (gone_at, user_id, provider, version)
     SELECT '2026-01-01', ?1, 'openai', value FROM json_each(?2)`,
    userId,
    JSON.stringify(versions),
  )
  await runJob()
  expect(await goneOf(userId)).toEqual([])
})

it.for([1, 2])(
  'the job loses nothing if it is cut off before its round trip %i to D1',
  async (cut) => {
    const { userId } = await someCopiedOwner()
    const { remove, runJob } = someVault()
    const restore = await backUp()
    await remove(userId)
    const DB = interruptedD1((trip) => {
      if (trip === cut) throw new Error('Network connection lost.')
    })
    await expect(someVault({ DB }).runJob()).rejects.toMatchObject({ code: 'database_busy' })
    expect(await goneOf(userId)).toHaveLength(1)
    await runJob()
    expect(await goneOf(userId)).toEqual([])
    await restore()
    await runJob()
    expect(await keysOf(userId)).toEqual([])
  },
)

it('the job does not take a D1 for up to date that is restored while the job runs', async () => {
  const { userId } = await someCopiedOwner()
  const { remove, runJob } = someVault()
  const restore = await backUp()
  await remove(userId)
  const DB = interruptedD1(async (trip) => (trip === 2 ? restore() : null))
  await someVault({ DB }).runJob()
  expect(await keysOf(userId)).toHaveLength(1)
  await runJob()
  expect(await keysOf(userId)).toEqual([])
})

it('the job fails if the second store does, and leaves the keys in D1', async () => {
  const { userId } = await someCopiedOwner()
  await someVault().remove(userId)
  const { runJob } = someVault({ DELETIONS: failingDeletions() })
  await expect(runJob()).rejects.toMatchObject({
    code: 'database_busy',
    retryAfter: 1,
    cause: { message: 'Network connection lost' },
  })
  expect(await goneOf(userId)).toHaveLength(1)
})
