/** The job that copies which keys are gone, and deletes those that a restored D1 has again. */

import { env } from '../isolate.ts'
import { afterEach, describe, expect, it } from 'vitest'
import { sealKey, type Slot } from '../../src/crypto/seal.ts'
import { EXCHANGED_AT_ONCE } from '../../src/deletions.ts'
import { listSlots } from '../../src/keys/slots.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { MAX_UNEXPLAINED } from '../../src/store/gone-keys.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import {
  interceptD1,
  ownerOf,
  recordLogs,
  seenByProvider,
  someEncryptionKey,
  someUser,
} from '../support.ts'
import {
  age,
  backUp,
  bury,
  causesOf,
  failingDeletions,
  goodKey,
  heartbeat,
  identitiesOf,
  keysOf,
  rowsOf,
  someCopiedOwner,
  someOwner,
  someRestored,
  someVault,
} from './restoration.ts'
import { insertRows } from './sealed-rows.ts'

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
  const identities = await identitiesOf(userId)
  await remove(userId)
  expect(await causesOf(...identities)).toEqual(['request'])
  await runJob()
  expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
})

it('the job does nothing without the binding DELETIONS', async () => {
  const { userId } = await someCopiedOwner()
  await age(10)
  const [before, identities] = [await heartbeat(), await identitiesOf(userId)]
  await someVault().remove(userId)
  await someVault({ DELETIONS: undefined }).runJob()
  expect([await heartbeat(), await causesOf(...identities)]).toEqual([before, ['request']])
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
  const identities = await identitiesOf(userId)
  await remove(userId)
  await env.DB.prepare('DELETE FROM heartbeat').run()
  await runJob()
  expect(await causesOf(...identities)).toEqual([])
  await restore()
  await runJob()
  expect(await keysOf(userId)).toEqual([])
})

describe('the job in a restored D1', () => {
  it('keeps a user who was added again while the job did not run', async () => {
    const { userId, apiKey } = await someCopiedOwner()
    const { runJob, reveal, save } = someVault({ AUTO_CREATE_USERS: 'true' })
    const restore = await backUp()
    await age(10)
    await addUser(await openService(env), userId)
    await save(userId, goodKey(), 'acme')
    await runJob()
    await restore()
    await runJob()
    expect(await reveal(userId)).toBe(apiKey)
  })

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

  it('removes a team again, and leaves the user with the same id and the key with another label', async () => {
    const { runJob, remove } = someVault()
    const userId = await someUser()
    const team = await someUser(teamOwner(userId))
    const { keyring } = await openService(env)
    const slots = [userId, team].flatMap((owner) =>
      ['openai', 'openai:work'].map((provider) => ({ userId: owner, provider })),
    )
    const sealFor = async (slot: Slot) => ({ ...slot, ...(await sealKey(keyring, slot, 'sk')) })
    const rows = slots.map(sealFor)
    await insertRows(await Promise.all(rows))
    await rowsOf("INSERT INTO member_uses VALUES (?1, 'openai', 'ann', '2026', 2, '')", team)
    await runJob()
    await age(10)
    const restore = await backUp()
    await remove(userId, 'openai:work')
    await removeUser(await openService(env), team)
    await runJob()
    await restore()
    expect(await keysOf(team)).toHaveLength(2)
    await addUser(await openService(env), team)
    await runJob()
    expect([await keysOf(userId), await keysOf(team)]).toEqual([[{ provider: 'openai' }], []])
    expect(await rowsOf('SELECT * FROM member_uses WHERE user_id = ?1', team)).toEqual([])
    const exists = 'SELECT 1 FROM users WHERE id = ?1'
    expect(await rowsOf(exists, team)).toHaveLength(1)
  })

  it('notes that no import brings the keys back, while imported rows are expected', async () => {
    const { deleted, removed, kept } = await someRestored()
    await someVault({ LEGACY_FERNET_KEY: someEncryptionKey() }).runJob()
    const sql = 'SELECT provider FROM imported_keys WHERE user_id = ?1 ORDER BY provider'
    expect(await rowsOf(sql, deleted.userId)).toEqual([{ provider: 'openai' }])
    expect(await rowsOf(sql, removed.userId)).toEqual([])
    expect(await rowsOf(sql, kept.userId)).toEqual([])
    const savedAt = '2999-01-01'
    const again = [removed, kept].map(({ userId }) => ({
      userId,
      provider: 'acme',
      savedAt,
      token: 'gAAAA',
    }))
    await importRows(env.DB, again)
    expect(await keysOf(removed.userId)).toEqual([])
    expect(await keysOf(kept.userId)).toEqual([{ provider: 'acme' }, { provider: 'openai' }])
  })

  it('sends each deletion to the queue of events, but not those of a removed user', async () => {
    const { deleted, removed, kept } = await someRestored()
    const sent: { user_id: string; event: string }[] = []
    const sendBatch = async (messages: { body: { user_id: string; event: string } }[]) =>
      void sent.push(...messages.map(({ body }) => body))
    await someVault({ EVENTS_QUEUE: { send: null, sendBatch } }).runJob()
    const of = (userId: string) => sent.filter(({ user_id }) => user_id === userId)
    expect(of(deleted.userId)).toMatchObject([{ event: 'deleted', by: 'job' }])
    expect([of(kept.userId), of(removed.userId)]).toEqual([[], []])
  })

  it('does no harm in two runs at once', async () => {
    const { kept, deleted } = await someRestored()
    await Promise.all([someVault().runJob(), someVault().runJob()])
    expect(await keysOf(kept.userId)).toHaveLength(1)
    expect(await keysOf(deleted.userId)).toEqual([])
    expect(await someVault({ DELETIONS: failingDeletions() }).use(kept.userId)).toBe(200)
  })

  it('deletes again what a second restore brings back', async () => {
    const { userId } = await someCopiedOwner()
    const { remove, runJob, use } = someVault()
    const restore = await backUp()
    await remove(userId)
    for (let left = 2; left > 0; left -= 1) {
      // oxlint-disable-next-line no-await-in-loop -- one restore after the other
      await runJob()
      // oxlint-disable-next-line no-await-in-loop
      await restore()
      // oxlint-disable-next-line no-await-in-loop
      await age(10)
      // oxlint-disable-next-line no-await-in-loop
      expect(await use(userId)).toBe('no_api_key')
      // oxlint-disable-next-line no-await-in-loop
      await runJob()
      // oxlint-disable-next-line no-await-in-loop
      expect(await keysOf(userId)).toEqual([])
    }
  })

  it('leaves a user who is added again, and a key that is saved, before the job runs', async () => {
    const { removed, deleted } = await someRestored()
    const { save, runJob, reveal } = someVault()
    const apiKeys = [goodKey(), goodKey()]
    await addUser(await openService(env), removed.userId)
    await save(removed.userId, `${apiKeys[0]}`)
    await save(deleted.userId, `${apiKeys[1]}`)
    await runJob()
    await runJob()
    expect([await reveal(removed.userId), await reveal(deleted.userId)]).toEqual(apiKeys)
  })

  it('leaves the user and the key of a first save with AUTO_CREATE_USERS', async () => {
    const { removed, kept } = await someRestored()
    const { save, runJob, reveal } = someVault({ AUTO_CREATE_USERS: 'true' })
    const apiKeys = [goodKey(), goodKey()]
    await save(removed.userId, `${apiKeys[0]}`)
    await save(kept.userId, `${apiKeys[1]}`)
    await runJob()
    await runJob()
    expect([await reveal(removed.userId), await reveal(kept.userId)]).toEqual(apiKeys)
  })

  it('deletes the keys that a user who is added again had before', async () => {
    const { removed } = await someRestored()
    const { runJob, use } = someVault()
    await addUser(await openService(env), removed.userId)
    expect(await use(removed.userId)).toBe('no_api_key')
    await runJob()
    expect(await keysOf(removed.userId)).toEqual([])
    expect(await rowsOf('SELECT 1 FROM users WHERE id = ?1', removed.userId)).toHaveLength(1)
  })

  it('deletes the key that an import had replaced, and leaves one that is imported again', async () => {
    const { userId } = await someCopiedOwner()
    const { runJob } = someVault()
    const restore = await backUp()
    const savedAt = new Date(Date.now() + 60_000).toISOString()
    const key = { userId, provider: 'openai', savedAt, token: 'gAAAA' }
    await importRows(env.DB, [key])
    await runJob()
    await restore()
    await age(10)
    await importRows(env.DB, [key])
    const identities = await identitiesOf(userId)
    await runJob()
    expect(await identitiesOf(userId)).toEqual(identities)
    await restore()
    await runJob()
    expect(await keysOf(userId)).toEqual([])
  })

  it('works off more tombstones than a run takes, and D1 counts as old until then', async () => {
    const { userId, apiKey } = await someCopiedOwner()
    const { runJob, use } = someVault()
    await age(10)
    const identities = await identitiesOf(userId)
    const store = env.DELETIONS.getByName('deletions')
    const others = Array.from({ length: EXCHANGED_AT_ONCE }, (_, index) => `${userId}-${index}`)
    await store.exchange(0, [...others, ...identities])
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      if (trips > 2) throw new Error('Network connection lost.')
      return trip()
    })
    await expect(someVault({ DB }).runJob()).rejects.toMatchObject({ code: 'database_busy' })
    expect(await keysOf(userId)).toEqual([{ provider: 'openai' }])
    expect(await use(userId)).toBe('no_api_key')
    await runJob()
    expect(await keysOf(userId)).toEqual([])
    expect(await seenByProvider(apiKey)).toEqual([])
  })
})

it('keys that somebody deletes by SQL of their own work again after a restore', async () => {
  const owners = [await someOwner(), await someOwner(), await someCopiedOwner()]
  const { runJob, reveal } = someVault()
  const restore = await backUp()
  await rowsOf('DELETE FROM api_keys')
  await runJob()
  await restore()
  await age(10)
  await runJob()
  const keys = await Promise.all(owners.map(async ({ userId }) => reveal(userId)))
  expect(keys).toEqual(owners.map(({ apiKey }) => apiKey))
})

it('the job copies in one run the tombstones of 60,000 keys', async () => {
  const { runJob } = someVault()
  await runJob()
  const identities = Array.from({ length: 2 * EXCHANGED_AT_ONCE + 1 }, () => crypto.randomUUID())
  await bury(identities)
  await runJob()
  expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
  const store = env.DELETIONS.getByName('deletions')
  const ends = [identities.at(0), identities.at(-1)].map(async (one = '') => store.isGone(one))
  expect(await Promise.all(ends)).toEqual([true, true])
})

describe('tombstones that the vault did not write', () => {
  const some = (count: number) => Array.from({ length: count }, () => crypto.randomUUID())
  const storeHas = async (identity = '') => env.DELETIONS.getByName('deletions').isGone(identity)

  afterEach(async () => rowsOf('DELETE FROM gone_keys'))

  it('copies up to 1,000 tombstones without a cause', async () => {
    const unexplained = some(MAX_UNEXPLAINED)
    await bury(unexplained, '')
    await someVault().runJob()
    expect(await storeHas(unexplained[0])).toBe(true)
    expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
  })

  it('holds more than 1,000 tombstones without a cause, and copies the others', async () => {
    const [unexplained, explained] = [some(MAX_UNEXPLAINED + 1), some(2)]
    await bury(unexplained, '')
    await bury(explained)
    const { at } = (await heartbeat()) ?? {}
    const logs = recordLogs()
    await someVault().runJob()
    expect(logs.events()).toMatchObject([{ level: 'error', event: 'deletions_held' }])
    expect([await storeHas(unexplained[0]), await storeHas(explained[1])]).toEqual([false, true])
    expect(await causesOf(...unexplained)).toHaveLength(unexplained.length)
    expect(await causesOf(...explained)).toEqual([])
    expect((await heartbeat())?.at).not.toBe(at)
  })
})

it.for([1, 2])(
  'the job loses nothing if it is cut off before its round trip %i to D1',
  async (cut) => {
    const { userId } = await someCopiedOwner()
    const { remove, runJob } = someVault()
    const restore = await backUp()
    const identities = await identitiesOf(userId)
    await remove(userId)
    const DB = interruptedD1((trip) => {
      if (trip === cut) throw new Error('Network connection lost.')
    })
    await expect(someVault({ DB }).runJob()).rejects.toMatchObject({ code: 'database_busy' })
    expect(await causesOf(...identities)).toEqual(['request'])
    await runJob()
    expect(await causesOf(...identities)).toEqual([])
    await restore()
    await runJob()
    expect(await keysOf(userId)).toEqual([])
  },
)

it('the job deletes no key that was imported in the same second as one that is gone', async () => {
  const userId = crypto.randomUUID()
  const { remove, runJob } = someVault()
  const saved = { userId, token: 'gAAAA', savedAt: '2026-01-01T00:00:00.000Z' }
  const keys = [
    { provider: 'default', ...saved },
    { provider: 'openai', ...saved },
  ]
  await importRows(env.DB, keys)
  await remove(userId)
  const DB = interruptedD1((trip) => {
    if (trip === 2) throw new Error('D1_ERROR: D1 DB is overloaded.')
  })
  await expect(someVault({ DB }).runJob()).rejects.toMatchObject({ code: 'database_busy' })
  await runJob()
  expect(await keysOf(userId)).toEqual([{ provider: 'default' }])
})

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
  const identities = await identitiesOf(userId)
  await someVault().remove(userId)
  const { runJob } = someVault({ DELETIONS: failingDeletions() })
  await expect(runJob()).rejects.toMatchObject({
    code: 'database_busy',
    retryAfter: 1,
    cause: { message: 'Network connection lost' },
  })
  expect(await causesOf(...identities)).toEqual(['request'])
})

it('keeps the key that lives when a move meets a restored one that was saved later', async () => {
  recordLogs()
  const { save, remove, runJob, reveal } = someVault()
  const userId = await someUser()
  await runJob()
  const kept = goodKey()
  await save(userId, kept, 'openai')
  await save(userId, goodKey(), 'default')
  const earlier =
    "UPDATE api_keys SET updated_at = '2026-01-01T00:00:00.000Z' WHERE user_id = ?1 AND provider = 'openai'"
  await env.DB.prepare(earlier).bind(userId).run()
  const restore = await backUp()
  await remove(userId, 'default')
  await runJob()
  await restore()
  await age(10)
  await listSlots(await ownerOf(userId, { ...env, DEFAULT_PROVIDER: 'openai' }))
  await runJob()
  expect([await keysOf(userId), await reveal(userId)]).toEqual([[{ provider: 'openai' }], kept])
})
