/** A key that is gone is not used, although a restored D1 has it again. */

import { env } from '../isolate.ts'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { assignKey } from '../../src/keys/assign.ts'
import { readHeartbeat } from '../../src/keys/gone.ts'
import { verifySlot } from '../../src/keys/verify.ts'
import { openService } from '../../src/service.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import { makeFernet } from '../import/make-fernet.ts'
import { ownerOf, recordLogs, seenByProvider } from '../support.ts'
import {
  age,
  backUp,
  failingDeletions,
  goodKey,
  rowsOf,
  someCopiedOwner,
  someOwner,
  someRestored,
  someVault,
} from './restoration.ts'

afterEach(() => vi.useRealTimers())

describe('a second store that fails', () => {
  it('fails no use and no check while the job runs: they ask D1 alone', async () => {
    const { userId } = await someCopiedOwner()
    const { use, check } = someVault({ DELETIONS: failingDeletions() })
    expect([await use(userId), await use(userId)]).toEqual([200, 200])
    expect(await check(userId)).toBe('accepted')
  })

  it('refuses each use while the heartbeat is old', async () => {
    const { kept } = await someRestored()
    const logs = recordLogs()
    const DELETIONS = failingDeletions()
    expect(await someVault({ DELETIONS }).use(kept.userId)).toBe('database_busy')
    expect(await seenByProvider(kept.apiKey)).toEqual([])
    await someVault().runJob()
    expect(await someVault({ DELETIONS }).use(kept.userId)).toBe(200)
    expect(logs.text()).not.toContain('sk-')
  })
})

it('a second store that does not answer in 5 s refuses the use', async () => {
  const { userId } = await someCopiedOwner()
  await age(10)
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const asked = Promise.withResolvers<void>()
  const isGone = async () => {
    asked.resolve()
    return new Promise(() => {})
  }
  const { use } = someVault({ DELETIONS: { getByName: () => ({ isGone }) } })
  let outcome: unknown = 'none yet'
  const used = use(userId).then((code) => (outcome = code))
  await asked.promise
  await vi.advanceTimersByTimeAsync(4_999)
  expect(outcome).toBe('none yet')
  await vi.advanceTimersByTimeAsync(1)
  expect(await used).toBe('database_busy')
})

it('a use and a check ask D1 alone if the vault lacks the binding DELETIONS', async () => {
  const { userId } = await someOwner()
  await age(10)
  const { use, check } = someVault({ DELETIONS: undefined })
  expect([await use(userId), await check(userId)]).toEqual([200, 'accepted'])
  const { settings } = await openService(env)
  expect(readHeartbeat({ ...settings, deletions: null })).toEqual([])
})

it.for<[when: string, change: string]>([
  ['the job has never run', "UPDATE heartbeat SET at = ''"],
  ['D1 lacks the row of the heartbeat', 'DELETE FROM heartbeat'],
])('a use asks the second store if %s', async ([, change]) => {
  const { userId } = await someOwner()
  const restore = await backUp()
  onTestFinished(restore)
  await env.DB.prepare(change).run()
  const { use, calls } = someVault()
  expect([await use(userId), calls()]).toEqual([200, 1])
})

it.for([
  ['2 minutes ago', 0, -120],
  ['4 minutes ago', 1, -240],
  ['2 minutes ahead', 0, 120],
  // The clock of D1 was wrong when it was written.
  ['4 minutes ahead', 1, 240],
] as const)(
  'a use with a heartbeat of %s asks the second store %i times',
  async ([, expected, seconds]) => {
    const { userId } = await someCopiedOwner()
    await age(-seconds / 60)
    const { use, calls } = someVault()
    expect([await use(userId), calls()]).toEqual([200, expected])
  },
)

it('a use asks D1 alone again after a heartbeat of the next year', async () => {
  const { userId } = await someCopiedOwner()
  const { use, calls } = someVault()
  await age(-365 * 24 * 60)
  expect([await use(userId), calls()]).toEqual([200, 1])
  await age(0)
  expect([await use(userId), await use(userId), calls()]).toEqual([200, 200, 1])
})

it('a use of a key that is gone is refused in a restored D1, and one of another key is not', async () => {
  const { kept, ...gone } = await someRestored()
  const { use, reveal, calls } = someVault()
  for (const { userId, apiKey } of Object.values(gone)) {
    // oxlint-disable-next-line no-await-in-loop -- one isolate, whose questions are counted
    expect(await use(userId)).toBe('no_api_key')
    // oxlint-disable-next-line no-await-in-loop
    expect([await reveal(userId), await reveal(userId, 'default')]).toEqual([null, null])
    // oxlint-disable-next-line no-await-in-loop
    expect(await seenByProvider(apiKey)).toEqual([])
  }
  expect([await use(kept.userId), calls() > 0]).toEqual([200, true])
})

it('a use goes past several keys that are gone, and counts none of them', async () => {
  const { userId } = await someOwner()
  const { save, remove, runJob, use } = someVault()
  const last = goodKey()
  await save(userId, goodKey(), 'openai:work')
  await save(userId, last, 'openai:home')
  await runJob()
  await env.DB.prepare("UPDATE api_keys SET max_uses = 9, max_uses_per = 'day'").run()
  const restore = await backUp()
  await remove(userId)
  await remove(userId, 'openai:work')
  await runJob()
  await restore()
  await age(10)
  expect(await use(userId)).toBe(200)
  expect(await seenByProvider(last)).toHaveLength(1)
  const counted = 'SELECT provider, uses FROM api_keys WHERE user_id = ?1 ORDER BY position'
  expect(await rowsOf(counted, userId)).toEqual([
    { provider: 'openai', uses: 0 },
    { provider: 'openai:work', uses: 0 },
    { provider: 'openai:home', uses: 1 },
  ])
})

it('a check and an assignment refuse a key that is gone', async () => {
  const { deleted, assigned } = await someRestored()
  const { key, verdict } = await verifySlot(await ownerOf(deleted.userId), 'openai')
  expect([key.state, verdict]).toEqual(['empty', null])
  const assignment = assignKey(await ownerOf(assigned.userId), 'openai', true)
  await expect(assignment).rejects.toMatchObject({ code: 'no_api_key' })
  expect(await seenByProvider(deleted.apiKey)).toEqual([])
  expect(await seenByProvider(assigned.apiKey)).toEqual([])
})

it('a warm isolate notices that D1 was restored to a minute ago', async () => {
  const { userId, apiKey } = await someCopiedOwner()
  const vault = someVault()
  await age(1)
  const restore = await backUp()
  await vault.runJob()
  expect([await vault.use(userId), vault.calls()]).toEqual([200, 1])
  await vault.remove(userId)
  await vault.runJob()
  await restore()
  expect(await vault.use(userId)).toBe('no_api_key')
  expect(await seenByProvider(apiKey)).toHaveLength(1)
})

it('a key is used although one that was imported with it, in the same second, is gone', async () => {
  const fernet = crypto.getRandomValues(new Uint8Array(32))
  const vault = someVault({ LEGACY_FERNET_KEY: fernet.toBase64({ alphabet: 'base64url' }) })
  const userId = crypto.randomUUID()
  const [kept, deleted] = [goodKey(), goodKey()]
  const importOf = async (provider: string, apiKey: string) => {
    const iv = crypto.getRandomValues(new Uint8Array(16))
    const token = await makeFernet(fernet, iv, 1_700_000_000, new TextEncoder().encode(apiKey))
    return { userId, provider, token, savedAt: '2023-11-14T22:13:20.000Z' }
  }
  const keys = [await importOf('openai', kept), await importOf('default', deleted)]
  await vault.runJob()
  await importRows(env.DB, keys)
  await vault.remove(userId, 'default')
  await vault.runJob()
  await age(10)
  expect([await vault.reveal(userId), await vault.use(userId)]).toEqual([kept, 200])
})

// D1's own clock stays as it is.
const MINUTES = [-600, -20, -8, 8, 600]
const setClock = (minutes: number) =>
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + minutes * 60_000 })

it.for(MINUTES)(
  'a clock that is off by %i minutes lets nobody use a key that is gone',
  async (off) => {
    const { deleted, kept } = await someRestored()
    setClock(off)
    const { use } = someVault()
    expect([await use(deleted.userId), await use(kept.userId)]).toEqual(['no_api_key', 200])
    expect(await seenByProvider(deleted.apiKey)).toEqual([])
  },
)

it.for(MINUTES)(
  'a clock that is off by %i minutes sends no use to the second store while the job runs',
  async (off) => {
    const { userId } = await someCopiedOwner()
    setClock(off)
    const { use, calls } = someVault()
    expect([await use(userId), calls()]).toEqual([200, 0])
  },
)
