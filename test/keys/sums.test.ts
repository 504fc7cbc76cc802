/** An isolate counts uses, and writes few statements for many of them. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { countEvent } from '../../src/keys/sums.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { interceptD1, ownerOf, recordLogs, someKeyUser, someUser } from '../support.ts'
import { someKeyOf } from './key-owner.ts'
import { userIdentityOf } from './restoration.ts'

const NOON = Date.parse('2026-11-26T12:00:00.000Z')
/** How many sums an isolate writes at once in an hour, and how many it collects. */
const MAX_KEPT = 2_000
/** What D1 answers to a write. */
const TAKEN = { success: true, results: [], meta: {} }

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

/**
 * An isolate in which callers use a key. D1 says of as many writes as `unread` that it has taken them. It fails as often
 * as `faults` says, and as long as `breaks` says.
 */
async function someIsolate({ faults = 0, unread = 0, id = `user-${crypto.randomUUID()}` } = {}) {
  vi.setSystemTime(NOON)
  let writes = 0
  let breaks = (write: number) => write <= faults
  const written: Promise<unknown>[] = []
  const DB = interceptD1(async (trip) => {
    writes += 1
    if (breaks(writes)) throw new Error('D1_ERROR: D1 DB is overloaded.')
    if (writes <= unread) return TAKEN
    const result = trip()
    written.push(result)
    return result
  })
  const service = await openService({ ...env, DB })
  const userId = await someUser(id)
  const userIdentity = await userIdentityOf(userId)
  const works: Promise<void>[] = []
  return {
    count: (caller = 'chat', errors = 0) => {
      const use = { userId, userIdentity, provider: 'openai', event: 'used', code: null } as const
      countEvent(service, (work) => void works.push(work), { ...use, caller, member: null, errors })
    },
    writes: () => writes,
    breakWrites: (which: typeof breaks) => void (breaks = which),
    /** Before time passes, D1 has to answer. Otherwise a write would come too late. */
    pass: async (ms: number) => {
      await Promise.all(written)
      await vi.advanceTimersByTimeAsync(ms)
    },
    works,
    /** The sums in D1, and how many uses of `caller` they hold. */
    stored: async (caller = 'chat') => {
      const sql = `SELECT count(*) AS sums, sum(count) FILTER (WHERE caller = ?2) AS uses
        FROM api_key_events WHERE user_id = ?1`
      return env.DB.prepare(sql).bind(userId, caller).first()
    },
    /** The uses of all callers. */
    uses: async () => {
      const sql = 'SELECT sum(count) AS uses FROM api_key_events WHERE user_id = ?1'
      return env.DB.prepare(sql).bind(userId).first('uses')
    },
    events: async () => {
      const sql = 'SELECT count, errors, first_at, last_at FROM api_key_events WHERE user_id = ?1'
      return (await env.DB.prepare(sql).bind(userId).all()).results
    },
  }
}

it('writes the first use of each hour at once, and collects the others', async () => {
  const { count, writes, pass, works, stored } = await someIsolate()
  count()
  count()
  vi.setSystemTime(NOON + 59 * 60_000 + 59_999)
  count()
  expect(writes()).toBe(1)
  vi.setSystemTime(NOON + 60 * 60_000)
  count()
  count()
  expect(writes()).toBe(2)
  await pass(20_000)
  await Promise.all(works)
  expect(await stored()).toEqual({ sums: 2, uses: 5 })
})

it('sets at most one timer in 5 s', async () => {
  const { count, works } = await someIsolate()
  count()
  const timersAfter = [0, 4_999, 5_000, 9_999, 10_000].map((ms) => {
    vi.setSystemTime(NOON + ms)
    count()
    return works.length - 1
  })
  expect(timersAfter).toEqual([1, 1, 2, 2, 3])
  await works[0]
})

it('writes what it has collected every 15 minutes, however busy it is', async () => {
  const { count, writes, pass, works, stored } = await someIsolate()
  count()
  /** The isolate is never quiet for 20 s. */
  const writesAfter = async (uses: number) => {
    for (let use = 0; use < uses; use += 1) {
      count()
      // oxlint-disable-next-line no-await-in-loop -- the time passes between two uses
      await pass(16_000)
    }
    return writes()
  }
  // 15 minutes are over in the 57th of these uses.
  expect([await writesAfter(56), await writesAfter(1), await writesAfter(5)]).toEqual([1, 2, 2])
  await pass(20_000)
  await Promise.all(works)
  expect(await stored()).toEqual({ sums: 1, uses: 1 + 56 + 1 + 5 })
})

/** An isolate that has written as many sums in the hour as it does at once, and collects one for each caller. */
async function someFullIsolate(id?: string) {
  const isolate = await someIsolate({ unread: MAX_KEPT, ...(id !== undefined && { id }) })
  for (let index = 0; index < MAX_KEPT; index += 1) isolate.count(`caller-${index}`)
  await Promise.all(isolate.works)
  expect(isolate.writes()).toBe(MAX_KEPT)
  for (let index = 0; index < MAX_KEPT; index += 1) isolate.count(`other-${index}`)
  return isolate
}

it('writes at once what it has collected when it is full, and loses no use', async () => {
  const { count, writes, pass, works, stored } = await someFullIsolate()
  expect(writes()).toBe(MAX_KEPT)
  count('other-0')
  expect(writes()).toBe(MAX_KEPT + 1)
  count('last')
  await pass(20_000)
  await Promise.all(works)
  expect(writes()).toBe(MAX_KEPT + 2)
  expect([await stored('other-0'), await stored('last')]).toEqual([
    { sums: MAX_KEPT + 1, uses: 2 },
    { sums: MAX_KEPT + 1, uses: 1 },
  ])
  vi.setSystemTime(NOON + 60 * 60_000)
  count('next-hour')
  await Promise.all(works)
  expect(await stored('next-hour')).toEqual({ sums: MAX_KEPT + 2, uses: 1 })
})

it('drops a use only while it is full and D1 fails, and logs how many', async () => {
  const logs = recordLogs()
  const { count, writes, breakWrites, pass, works, stored } = await someFullIsolate()
  const dropped = (uses: number) => ({ level: 'error', event: 'uses_dropped', count: uses })
  breakWrites(() => true)
  // It is counted while D1 has the others, of which one has no room when they come back.
  count('late')
  await vi.waitFor(() => expect(logs.events().at(-1)).toEqual(dropped(1)))
  count('late')
  for (const caller of ['other-0', 'lost', 'lost', 'lost-too']) count(caller)
  expect(writes()).toBe(MAX_KEPT + 1)
  breakWrites(() => false)
  await pass(5_000)
  await vi.waitFor(() => expect(logs.events().at(-1)).toEqual(dropped(3)))
  count('back')
  await pass(20_000)
  await Promise.all(works)
  const callers = ['late', 'other-0', 'lost', 'back']
  const uses = await Promise.all(callers.map(async (caller) => (await stored(caller))?.['uses']))
  expect(uses).toEqual([2, 2, null, 1])
})

it('writes many sums with long user ids in parts, and repeats only the part that failed', async () => {
  const logs = recordLogs()
  const isolate = await someFullIsolate(`${'語'.repeat(1_900)}${crypto.randomUUID()}`)
  const { writes, breakWrites, pass, works, stored } = isolate
  breakWrites((write) => write === MAX_KEPT + 2)
  await pass(20_000)
  await vi.waitFor(() => expect(logs.text()).toContain('uses_not_recorded'))
  // Each has about 6,000 bytes, and a parameter 2,000,000.
  expect(writes()).toBe(MAX_KEPT + 6)
  await pass(5_000)
  await Promise.all(works)
  expect(writes()).toBe(MAX_KEPT + 7)
  expect(await stored('other-0')).toEqual({ sums: MAX_KEPT, uses: 1 })
  expect(await isolate.uses()).toBe(MAX_KEPT)
})

it('writes a use that D1 did not take after 5 s, although nothing else is counted', async () => {
  recordLogs()
  const { count, writes, pass, works, stored } = await someIsolate({ faults: 3 })
  count()
  const writesAfter = async (ms: number) => {
    await pass(ms)
    return writes()
  }
  expect([writes(), await writesAfter(4_999), await writesAfter(1)]).toEqual([1, 1, 2])
  expect([await writesAfter(5_000), await writesAfter(5_000)]).toEqual([3, 4])
  await Promise.all(works)
  expect(await stored()).toEqual({ sums: 1, uses: 1 })
  expect(await writesAfter(60_000)).toBe(4)
})

it.for([
  ['before it came back', [0, 1_000]],
  ['before and after it came back', [0, 1_000, 2_000]],
] as const)('keeps a use that D1 did not take, with its time: others %s', async ([, uses]) => {
  const logs = recordLogs()
  const { count, pass, works, events } = await someIsolate({ faults: 1 })
  for (const ms of uses) {
    vi.setSystemTime(NOON + ms)
    count('chat', 1)
    // oxlint-disable-next-line no-await-in-loop -- the first use comes back while the second one waits
    if (ms > 0) await works[0]
  }
  await pass(20_000)
  await Promise.all(works)
  const [first_at, last_at] = [0, uses.at(-1) ?? 0].map((ms) => new Date(NOON + ms).toISOString())
  const total = uses.length
  expect(await events()).toEqual([{ count: total, errors: total, first_at, last_at }])
  const failure = { level: 'error', event: 'uses_not_recorded', code: 'database_busy' }
  expect(logs.events()).toMatchObject([failure])
})

it('makes one more round trip for the first refusal of an hour, and none for the others', async () => {
  const userId = await someKeyUser(someKeyOf('good'))
  await setLimits(await ownerOf(userId), 'openai', { isPaused: true, condition: null })
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  const context = Object.assign(createExecutionContext(), {
    props: { caller: 'chat', grants: ['reveal'] },
  })
  const vault = new KeyVault(context, { ...env, DB })
  const tripsAfter = async (calls: number) => {
    for (let call = 0; call < calls; call += 1) await vault.getDecryptedApiKey(userId, 'openai')
    return trips
  }
  expect([await tripsAfter(1), await tripsAfter(5)]).toEqual([2, 7])
  await vi.advanceTimersByTimeAsync(20_000)
  expect(trips).toBe(8)
  vi.useRealTimers()
  await waitOnExecutionContext(context)
  const sum = "SELECT count FROM api_key_events WHERE user_id = ?1 AND event = 'use_refused'"
  expect(await env.DB.prepare(sum).bind(userId).first('count')).toBe(6)
})
