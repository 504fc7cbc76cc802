import { env } from '../isolate.ts'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { EXCHANGED_AT_ONCE } from '../../src/deletions.ts'
import { VaultError } from '../../src/errors.ts'
import { assignKey } from '../../src/keys/assign.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { readHeartbeat } from '../../src/keys/gone.ts'
import { copyDeletions } from '../../src/keys/restore.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { deleteSlot } from '../../src/keys/slots.ts'
import type { KeyUser } from '../../src/keys/take.ts'
import { revealKey, useKey } from '../../src/keys/use.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import { openService } from '../../src/service.ts'
import { runBatch } from '../../src/store/d1.ts'
import {
  noteImportedGone,
  toImportedKeys,
  upsertImportedKeys,
} from '../../src/store/imported-keys.ts'
import {
  interceptD1,
  ownerOf,
  PROVIDER,
  recordLogs,
  seenByProvider,
  someEncryptionKey,
  someUser,
} from '../support.ts'

afterEach(() => vi.useRealTimers())

const TABLES = ['users', 'api_keys', 'api_key_events', 'gone_keys', 'heartbeat']
const goodKey = () => `sk-good-${crypto.randomUUID()}`

/** What a vault in an isolate of its own can do. `calls` counts the questions to the second store. */
function someVault(changes: object = {}, fails = false) {
  const isolate = { calls: 0 }
  const getByName = (name: string) => {
    isolate.calls += 1
    if (fails) throw new Error('Network connection lost')
    return env.DELETIONS.getByName(name)
  }
  const DELETIONS = Object.assign(Object.create(env.DELETIONS), { getByName })
  const vault: Env = { ...env, DELETIONS, ...changes }
  const waitUntil = () => undefined
  const userOf = async (userId: string): Promise<KeyUser> => ({
    ...(await ownerOf(userId, vault)),
    by: { kind: 'caller', name: 'chat' },
    waitUntil,
  })
  return {
    isolate,
    save: async (userId: string, apiKey: string, provider = 'openai') =>
      saveSlot(await ownerOf(userId, vault), provider, { apiKey, verify: false }),
    remove: async (userId: string, provider = 'openai') =>
      deleteSlot(await ownerOf(userId, vault), provider),
    runJob: async () => copyDeletions(await openService(vault)),
    reveal: async (userId: string, provider = 'openai') =>
      revealKey(await userOf(userId), provider),
    check: async (userId: string) =>
      (await verifySlot(await ownerOf(userId, vault), 'openai')).verdict,
    /** Sends a request with the key: the status of the provider, or the code of the refusal. */
    use: async (userId: string) => {
      const request = new Request(`${PROVIDER}/v1/models`)
      const use = { provider: 'openai', request }
      const response = await useKey(await userOf(userId), use).catch((error: unknown) =>
        VaultError.from(error),
      )
      if (response instanceof VaultError) return response.code
      await response.text()
      return response.status
    },
  }
}

const rowsOf = async <T = Record<string, unknown>>(sql: string, ...values: unknown[]) =>
  (
    await env.DB.prepare(sql)
      .bind(...values)
      .all<T>()
  ).results

/** Remembers the whole database. @returns a function that restores it */
async function backUp(): Promise<() => Promise<void>> {
  const tables = await Promise.all(
    TABLES.map(async (table) => [table, await rowsOf(`SELECT * FROM ${table}`)] as const),
  )
  return async () => {
    await env.DB.batch(TABLES.toReversed().map((table) => env.DB.prepare(`DELETE FROM ${table}`)))
    for (const [table, rows] of tables) {
      for (const row of rows) {
        const names = Object.keys(row)
        const marks = names.map(() => '?').join(', ')
        const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${marks})`
        await env.DB.prepare(sql)
          .bind(...Object.values(row))
          .run()
      }
    }
  }
}

/** Sets back D1's heartbeat, as if the job had not run for some time. */
const age = async (minutes: number) =>
  env.DB.prepare('UPDATE heartbeat SET at = ?1')
    .bind(new Date(Date.now() - minutes * 60_000).toISOString())
    .run()

const heartbeat = async () => (await rowsOf<{ at: string }>('SELECT * FROM heartbeat'))[0]

/** Users whose keys are deleted, replaced, removed, moved and deleted, and kept after a backup, which is restored. */
async function someRestored(minutes = 10) {
  const vault = someVault()
  const someOwner = async (slot = 'openai') => {
    const [userId, apiKey] = [await someUser(), goodKey()]
    await vault.save(userId, apiKey, slot)
    return { userId, apiKey }
  }
  const owners = {
    deleted: await someOwner(),
    replaced: await someOwner(),
    removed: await someOwner(),
    assigned: await someOwner('default'),
    kept: await someOwner(),
  }
  const { deleted, replaced, removed, assigned } = owners
  await vault.runJob()
  await age(minutes)
  const restore = await backUp()
  await vault.runJob()
  await vault.remove(deleted.userId)
  await vault.save(replaced.userId, goodKey())
  await removeUser(await openService(env), removed.userId)
  await assignKey(await ownerOf(assigned.userId), 'openai', false)
  await vault.remove(assigned.userId)
  await vault.runJob()
  await restore()
  return owners
}

const keysOf = async (userId: string) =>
  rowsOf('SELECT provider FROM api_keys WHERE user_id = ?1', userId)

const goneOf = async (userId: string) =>
  rowsOf('SELECT provider, version FROM gone_keys WHERE user_id = ?1 ORDER BY version', userId)

const versionOf = async (userId: string) =>
  (await rowsOf('SELECT updated_at FROM api_keys WHERE user_id = ?1', userId))[0]?.['updated_at']

it('a vault whose job has never run notes nothing, and asks the second store about each use', async () => {
  await env.DB.prepare("UPDATE heartbeat SET at = ''").run()
  const { save, remove, use, isolate } = someVault()
  const userId = await someUser()
  await save(userId, goodKey())
  await save(userId, goodKey())
  expect([await use(userId), isolate.calls]).toEqual([200, 1])
  await remove(userId)
  expect(await goneOf(userId)).toEqual([])
})

describe('a key that goes is noted in D1 with its version', () => {
  it.for<[how: string, go: (userId: string) => Promise<unknown>, slots: string[]]>([
    ['a deletion', async (userId) => someVault().remove(userId), ['openai']],
    ['a save', async (userId) => someVault().save(userId, goodKey()), ['openai']],
    [
      'the removal of its user',
      async (userId) => removeUser(await openService(env), userId),
      ['', 'openai'],
    ],
    [
      'its expiry',
      async (userId) => {
        const sql = "UPDATE api_keys SET expires_at = '2001-01-01' WHERE user_id = ?1"
        await env.DB.prepare(sql).bind(userId).run()
        await deleteExpiredKeys(await openService(env))
      },
      ['openai'],
    ],
    [
      'an import',
      async (userId) => {
        const savedAt = new Date(Date.now() + 1_000).toISOString()
        const keys = toImportedKeys([{ userId, provider: 'openai', savedAt, token: 'gAAAA' }])
        await runBatch(env.DB, [noteImportedGone(keys), upsertImportedKeys(keys)])
      },
      ['openai'],
    ],
    ['no deletion of another slot', async (userId) => someVault().remove(userId, 'acme'), []],
  ])('by %s', async ([, go, slots]) => {
    const { save, runJob } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    const version = await versionOf(userId)
    await go(userId)
    const gone = slots.map((provider) => ({ provider, version: provider === '' ? '' : version }))
    expect(await goneOf(userId)).toEqual(gone)
  })

  it('but not if it is assigned to a provider', async () => {
    const { save, runJob } = someVault()
    const userId = await someUser()
    await save(userId, goodKey(), 'default')
    await runJob()
    await assignKey(await ownerOf(userId), 'openai', false)
    expect(await goneOf(userId)).toEqual([])
  })

  it('from the slot that DEFAULT_PROVIDER replaces', async () => {
    const { save, runJob } = someVault({ DEFAULT_PROVIDER: 'openai' })
    const userId = await someUser()
    await someVault().save(userId, goodKey(), 'default')
    await runJob()
    const version = await versionOf(userId)
    await save(userId, goodKey())
    expect(await goneOf(userId)).toEqual([{ provider: 'default', version }])
  })
})

describe('a use', () => {
  it('asks D1 alone while the job runs', async () => {
    const { save, runJob } = someVault()
    const { use, isolate } = someVault({}, true)
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    expect([await use(userId), await use(userId), isolate.calls]).toEqual([200, 200, 0])
  })

  it('asks D1 alone without the binding DELETIONS', async () => {
    const { save, use, check, runJob } = someVault({ DELETIONS: undefined })
    const userId = await someUser()
    await save(userId, goodKey())
    await age(10)
    const before = await heartbeat()
    await runJob()
    expect([await use(userId), await check(userId)]).toEqual([200, 'accepted'])
    expect(await heartbeat()).toEqual(before)
    const { settings } = await openService(env)
    expect(readHeartbeat({ ...settings, deletions: null })).toEqual([])
  })

  it('asks the second store if the row of the heartbeat is missing', async () => {
    const { save, use, isolate } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    const restore = await backUp()
    await env.DB.prepare('DELETE FROM heartbeat').run()
    expect([await use(userId), isolate.calls]).toEqual([200, 1])
    await restore()
  })

  it('of a key that is gone is refused as soon as D1 is restored, and of another one is not', async () => {
    const { kept, ...gone } = await someRestored()
    const { use, reveal, isolate } = someVault()
    for (const { userId, apiKey } of Object.values(gone)) {
      expect(await use(userId)).toBe('no_api_key')
      expect([await reveal(userId), await reveal(userId, 'default')]).toEqual([null, null])
      expect(await seenByProvider(apiKey)).toEqual([])
    }
    expect([await use(kept.userId), isolate.calls > 0]).toEqual([200, true])
  })

  it('is refused while the second store fails, and the heartbeat is old', async () => {
    const { kept } = await someRestored()
    const logs = recordLogs()
    expect(await someVault({}, true).use(kept.userId)).toBe('database_busy')
    expect(await seenByProvider(kept.apiKey)).toEqual([])
    await someVault().runJob()
    expect(await someVault({}, true).use(kept.userId)).toBe(200)
    expect(logs.text()).not.toContain('sk-')
  })

  it('notices in a warm isolate that D1 was restored to a minute ago', async () => {
    const vault = someVault()
    const [userId, apiKey] = [await someUser(), goodKey()]
    await vault.save(userId, apiKey)
    await vault.runJob()
    await age(1)
    const restore = await backUp()
    await vault.runJob()
    expect([await vault.use(userId), vault.isolate.calls]).toEqual([200, 2])
    await vault.remove(userId)
    await vault.runJob()
    await restore()
    expect(await vault.use(userId)).toBe('no_api_key')
    expect(await seenByProvider(apiKey)).toHaveLength(1)
  })

  // D1's own clock stays as it is.
  describe.for([-600, -20, -8, 8, 600])('in an isolate whose clock is off by %i minutes', (off) => {
    const setClock = () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + off * 60_000 })

    it('of a key that is gone is refused as soon as D1 is restored', async () => {
      const { deleted, kept } = await someRestored()
      setClock()
      const vault = someVault()
      expect([await vault.use(deleted.userId), await vault.use(kept.userId)]).toEqual([
        'no_api_key',
        200,
      ])
      expect(await seenByProvider(deleted.apiKey)).toEqual([])
    })

    it('asks D1 alone while the job runs', async () => {
      const { save, runJob } = someVault()
      const userId = await someUser()
      await save(userId, goodKey())
      await runJob()
      setClock()
      const { use, isolate } = someVault({}, true)
      expect([await use(userId), isolate.calls]).toEqual([200, 0])
    })
  })

  it.for([
    ['2 minutes ago', -120, 0],
    ['4 minutes ago', -240, 1],
    ['2 minutes ahead', 120, 0],
    ['4 minutes ahead: the clock of D1 was wrong', 240, 1],
  ] as const)('asks the second store if the heartbeat is old: %s', async ([, seconds, calls]) => {
    const { save, runJob, use, isolate } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    await age(-seconds / 60)
    isolate.calls = 0
    expect([await use(userId), isolate.calls]).toEqual([200, calls])
  })

  it('is not a check or an assignment of a key that is gone either', async () => {
    const { deleted, assigned } = await someRestored()
    const { key, verdict } = await verifySlot(await ownerOf(deleted.userId), 'openai')
    expect([key.state, verdict]).toEqual(['empty', null])
    const assignment = assignKey(await ownerOf(assigned.userId), 'openai', true)
    await expect(assignment).rejects.toMatchObject({ code: 'no_api_key' })
    expect(await seenByProvider(deleted.apiKey)).toEqual([])
    expect(await seenByProvider(assigned.apiKey)).toEqual([])
  })
})

describe('the job', () => {
  it('empties the table of keys that are gone', async () => {
    const { save, remove, runJob } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    await remove(userId)
    await runJob()
    expect(await rowsOf('SELECT * FROM gone_keys')).toEqual([])
  })

  it('runs two batches of two statements if nothing is to be deleted', async () => {
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

  it('goes on without the row of the heartbeat', async () => {
    const { save, remove, runJob } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    const restore = await backUp()
    await remove(userId)
    await env.DB.prepare('DELETE FROM heartbeat').run()
    await runJob()
    expect(await goneOf(userId)).toEqual([])
    await restore()
    await runJob()
    expect(await keysOf(userId)).toEqual([])
  })

  it('copies in one run more keys than an exchange takes', async () => {
    const { runJob } = someVault()
    await runJob()
    const userId = await someUser()
    const sql = `INSERT INTO gone_keys (gone_at, user_id, provider, version)
      SELECT '2026-01-01', ?1, 'openai', value FROM json_each(?2)`
    const versions = Array.from({ length: EXCHANGED_AT_ONCE + 1 }, (_, index) => `${index}`)
    await env.DB.prepare(sql).bind(userId, JSON.stringify(versions)).run()
    await runJob()
    expect(await goneOf(userId)).toEqual([])
  })

  it.for([[10], [0]])(
    'deletes from a database of %i minutes ago what is gone, and nothing else',
    async ([minutes]) => {
      const { kept, removed, ...gone } = await someRestored(minutes)
      const logs = recordLogs()
      const { runJob, use, isolate } = someVault()
      await runJob()
      await runJob()
      for (const { userId } of Object.values(gone)) {
        expect(await keysOf(userId)).toEqual([])
        const events = 'SELECT event FROM api_key_events WHERE user_id = ?1 AND actor = ?2'
        expect(await rowsOf(events, userId, 'job')).toEqual([{ event: 'deleted' }])
      }
      expect(await keysOf(kept.userId)).toEqual([{ provider: 'openai' }])
      expect(await rowsOf('SELECT * FROM users WHERE id = ?1', removed.userId)).toEqual([])
      const trail = 'SELECT * FROM api_key_events WHERE user_id = ?1'
      expect(await rowsOf(trail, removed.userId)).toEqual([])
      const logged = { level: 'info', event: 'restored_keys_deleted', keys: 4, users: 1 }
      expect(logs.events()).toEqual([logged])
      const { calls } = isolate
      expect([await use(kept.userId), isolate.calls]).toEqual([200, calls])
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

  it('notes that no import brings them back, while users move in', async () => {
    const { deleted, removed, kept } = await someRestored()
    await someVault({ LEGACY_FERNET_KEY: someEncryptionKey() }).runJob()
    const sql = 'SELECT provider FROM imported_keys WHERE user_id = ?1 ORDER BY provider'
    expect(await rowsOf(sql, deleted.userId)).toEqual([{ provider: 'openai' }])
    expect(await rowsOf(sql, removed.userId)).toEqual([{ provider: '' }, { provider: 'openai' }])
    expect(await rowsOf(sql, kept.userId)).toEqual([])
  })

  it('sends the deletion of a restored key to the queue of events', async () => {
    const { deleted, kept } = await someRestored()
    const sent: { user_id: string; event: string }[] = []
    const sendBatch = async (messages: { body: { user_id: string; event: string } }[]) =>
      void sent.push(...messages.map(({ body }) => body))
    await someVault({ EVENTS_QUEUE: { send: null, sendBatch } }).runJob()
    const of = (userId: string) => sent.filter(({ user_id }) => user_id === userId)
    expect(of(deleted.userId)).toMatchObject([{ event: 'deleted', by: 'job' }])
    expect(of(kept.userId)).toEqual([])
  })

  it('keeps a user who was added again after the removal', async () => {
    const { save, runJob } = someVault()
    const userId = await someUser()
    await runJob()
    await removeUser(await openService(env), userId)
    await addUser(await openService(env), userId)
    // Otherwise it may be the millisecond of the removal.
    await rowsOf("UPDATE users SET created_at = '2999-01-01T00:00:00.000Z' WHERE id = ?1", userId)
    await save(userId, goodKey())
    await runJob()
    await env.DB.prepare('UPDATE heartbeat SET copied = 0').run()
    await runJob()
    expect(await keysOf(userId)).toEqual([{ provider: 'openai' }])
  })

  it('keeps a key that an import has brought back with the same version', async () => {
    const { save, remove, runJob, use } = someVault()
    const userId = await someUser()
    const importKey = async (createdAt: string) => {
      await save(userId, goodKey())
      await rowsOf(
        'UPDATE api_keys SET updated_at = ?2, created_at = ?3 WHERE user_id = ?1',
        userId,
        '2020-01-01T00:00:00.000Z',
        createdAt,
      )
    }
    await runJob()
    await importKey('2026-01-01T00:00:00.000Z')
    await remove(userId)
    await importKey('2999-01-01T00:00:00.000Z')
    await runJob()
    await age(10)
    expect(await use(userId)).toBe(200)
    await env.DB.prepare('UPDATE heartbeat SET copied = 0').run()
    await runJob()
    expect(await keysOf(userId)).toEqual([{ provider: 'openai' }])
  })

  it('does no harm if it runs twice at once', async () => {
    const { kept, deleted } = await someRestored()
    await Promise.all([someVault().runJob(), someVault().runJob()])
    expect(await keysOf(kept.userId)).toHaveLength(1)
    expect(await keysOf(deleted.userId)).toEqual([])
    expect(await someVault({}, true).use(kept.userId)).toBe(200)
  })

  it.for([[1], [2]])(
    'loses nothing if it is cut off before its round trip %i to D1',
    async ([cut]) => {
      const { save, remove, runJob } = someVault()
      const [userId, apiKey] = [await someUser(), goodKey()]
      await save(userId, apiKey)
      await runJob()
      const restore = await backUp()
      await remove(userId)
      let trips = 0
      const DB = interceptD1(async (trip) => {
        trips += 1
        if (trips === cut) throw new Error('Network connection lost.')
        return trip()
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

  it('does not take a database for up to date that is restored while it runs', async () => {
    const { save, remove, runJob } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    const restore = await backUp()
    await remove(userId)
    let trips = 0
    const DB = interceptD1(async (trip) => {
      trips += 1
      if (trips === 2) await restore()
      return trip()
    })
    await someVault({ DB }).runJob()
    expect(await keysOf(userId)).toHaveLength(1)
    await runJob()
    expect(await keysOf(userId)).toEqual([])
  })

  it('works off more keys than a run takes, and D1 counts as old until then', async () => {
    const { save, runJob, use } = someVault()
    const [userId, apiKey] = [await someUser(), goodKey()]
    await save(userId, apiKey)
    await runJob()
    await age(10)
    const store = env.DELETIONS.getByName('deletions')
    const version = String(await versionOf(userId))
    const goneAt = new Date().toISOString()
    const others = Array.from({ length: 700 }, (_, index) => `${userId}-${index}`)
    const key = { provider: 'openai', version, goneAt }
    const keys = [...others, userId].map((id) => Object.assign({ userId: id }, key))
    for (let start = 0; start < keys.length; start += 200) {
      await store.exchange(0, keys.slice(start, start + 200))
    }
    await runJob()
    expect([await keysOf(userId), await use(userId)]).toEqual([
      [{ provider: 'openai' }],
      'no_api_key',
    ])
    await runJob()
    expect(await keysOf(userId)).toEqual([])
    expect(await seenByProvider(apiKey)).toEqual([])
  })

  it('counts on from D1 if the second store was lost', async () => {
    const store = env.DELETIONS.getByName('another')
    const key = { userId: 'a', provider: 'b', version: 'c', goneAt: 'd' }
    const lost = Date.now() + 1_000_000
    expect((await store.exchange(lost, [key])).copied).toBe(lost + 1)
    expect((await store.exchange(lost, [])).missing).toMatchObject([key])
  })

  it('fails if the second store does, and leaves the keys in D1', async () => {
    const { save, remove, runJob } = someVault()
    const userId = await someUser()
    await save(userId, goodKey())
    await runJob()
    await remove(userId)
    await expect(someVault({}, true).runJob()).rejects.toMatchObject({
      code: 'database_busy',
      retryAfter: 1,
      cause: { message: 'Network connection lost' },
    })
    expect(await goneOf(userId)).toHaveLength(1)
  })
})
