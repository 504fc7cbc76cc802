/** An isolate counts uses, and writes few statements for many of them. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { countEvent } from '../../src/keys/sums.ts'
import type { Hour } from '../../src/store/noted-events.ts'
import { openService } from '../../src/service.ts'
import { env } from '../isolate.ts'
import { interceptD1, ownerOf, recordLogs, someKeyUser, someUser } from '../support.ts'
import { someKeyOf } from './key-owner.ts'
import { userIdentityOf } from './restoration.ts'

const NOON = Date.parse('2026-11-26T12:00:00.000Z')
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] }))
afterEach(() => void vi.useRealTimers())

/** An isolate in which callers use a key. D1 fails as often as `faults` says, and while `breaks` says so. */
async function someIsolate({ faults = 0, id = `user-${crypto.randomUUID()}` } = {}) {
  vi.setSystemTime(NOON)
  let [writes, rows] = [0, 0]
  let breaks = (write: number) => write <= faults
  const written: Promise<unknown>[] = []
  const DB = interceptD1(async (trip) => {
    writes += 1
    if (breaks(writes)) throw new Error('D1_ERROR: D1 DB is overloaded.')
    const result = trip()
    written.push(result)
    const results: D1Result[] = JSON.parse(JSON.stringify([await result].flat()))
    for (const { meta } of results) rows += meta.rows_written
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
    /** The rows that D1 bills. */
    rows: () => rows,
    breakWrites: (which: typeof breaks) => void (breaks = which),
    /** Before time passes, D1 has to answer. Otherwise a write would come too late. */
    pass: async (ms: number) => {
      await Promise.all(written)
      await vi.advanceTimersByTimeAsync(ms)
      await Promise.all(written)
    },
    works,
    /** The sums in D1, and how many uses of `caller` they hold. */
    stored: async (caller = 'chat') => {
      const sql = `SELECT count(*) AS sums, sum(value ->> 0) FILTER (WHERE caller = ?2) AS uses
        FROM api_key_events, json_each(hours) WHERE user_id = ?1`
      return env.DB.prepare(sql).bind(userId, caller).first()
    },
    /** The uses of all callers. */
    uses: async () => {
      const sql = `SELECT sum(value ->> 0) AS uses FROM api_key_events, json_each(hours) WHERE user_id = ?1`
      return env.DB.prepare(sql).bind(userId).first('uses')
    },
    hours: async () => {
      const sql = `SELECT day || 'T' || key AS hour, value FROM api_key_events, json_each(hours) WHERE user_id = ?1`
      const { results } = await env.DB.prepare(sql)
        .bind(userId)
        .all<{ hour: string; value: string }>()
      return results.map(({ hour, value }) => {
        const [count, errors, first, last]: Hour = JSON.parse(value)
        return [hour, count, errors, first, last] as const
      })
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
  await works[0]
  const worksAfter = [0, 4_999, 5_000, 9_999, 10_000].map((ms) => {
    vi.setSystemTime(NOON + ms)
    count()
    return works.length
  })
  const first = worksAfter[0] ?? 0
  expect(worksAfter.map((each) => each - first)).toEqual([0, 0, 1, 1, 2])
})

it('writes what it has collected with the first use of the next hour, however busy it is', async () => {
  const { count, writes, rows, pass, works, hours } = await someIsolate()
  /** The isolate is never quiet for 20 s. */
  for (let use = 0; use < 230; use += 1) {
    count()
    // oxlint-disable-next-line no-await-in-loop -- the time passes between two uses
    await pass(19_000)
  }
  expect([writes(), rows()]).toEqual([2, 2])
  await pass(20_000)
  await Promise.all(works)
  expect([writes(), rows()]).toEqual([3, 3])
  expect((await hours()).map(([hour, uses]) => [hour, uses])).toEqual([
    ['2026-11-26T12', 190],
    ['2026-11-26T13', 40],
  ])
})

it('writes after 65 minutes what it has collected for a caller who has stopped', async () => {
  const { count, pass, stored } = await someIsolate()
  count('stopped')
  count('stopped')
  const usesAfter = async (minutes: number) => {
    for (const end = NOON + minutes * MINUTE_MS; Date.now() < end;) {
      count('busy')
      // oxlint-disable-next-line no-await-in-loop -- the time passes between two uses
      await pass(19_000)
    }
    return (await stored('stopped'))?.['uses']
  }
  expect([await usesAfter(64), await usesAfter(66)]).toEqual([1, 2])
})

it('an agent that calls every three minutes for ten hours costs few rows more than one an hour', async () => {
  const { count, rows, pass, works, hours } = await someIsolate()
  for (let use = 0; use < 200; use += 1) {
    count()
    // oxlint-disable-next-line no-await-in-loop -- the time passes between two uses
    await pass(3 * MINUTE_MS)
  }
  // The isolate has pauses from the beginning on. It writes what doubles the day's count.
  expect(rows()).toBe(10 + 4)
  await Promise.all(works)
  vi.setSystemTime(NOON + 26 * HOUR_MS)
  count()
  await pass(20_000)
  await Promise.all(works)
  expect((await hours()).map(([, uses]) => uses)).toEqual([
    ...Array.from({ length: 10 }, () => 20),
    1,
  ])
})

it('an isolate that was busy and becomes quiet writes all that it has collected', async () => {
  const { count, pass, uses } = await someIsolate()
  for (let use = 0; use < 100; use += 1) count(`caller-${use % 10}`)
  await pass(15_000)
  for (let use = 0; use < 5; use += 1) count(`caller-${use}`)
  await pass(20_000)
  expect(await uses()).toBe(105)
})

it('an isolate that is quiet because D1 fails writes all that it has collected afterwards', async () => {
  recordLogs()
  const { count, breakWrites, pass, uses } = await someIsolate()
  for (let use = 0; use < 100; use += 1) count(`caller-${use % 10}`)
  await pass(0)
  breakWrites(() => true)
  await pass(30_000)
  breakWrites(() => false)
  for (let use = 0; use < 20; use += 1) count(`caller-${use % 10}`)
  await pass(20_000)
  expect(await uses()).toBe(120)
})

it.for<[what: string, ms: number]>([
  ['25 s', 25_000],
  ['90 s', 90_000],
])('loses nothing while D1 fails for %s under 50 uses a second', async ([, ms]) => {
  const logs = recordLogs()
  const { count, breakWrites, writes, pass, works, hours } = await someIsolate()
  breakWrites(() => true)
  let uses = 0
  for (let at = 0; at < ms; at += 100) {
    for (let use = 0; use < 5; use += 1) count(`caller-${(uses += 1)}`)
    // oxlint-disable-next-line no-await-in-loop -- the time passes between two uses
    await vi.advanceTimersByTimeAsync(100)
  }
  const failures = logs.events().map(({ event }) => event)
  expect(new Set(failures)).toEqual(new Set(['uses_not_recorded']))
  expect(failures.length).toBeLessThanOrEqual(ms / 5_000 + 1)
  expect(writes()).toBeLessThanOrEqual(5 + ms / 5_000 + 1)
  breakWrites(() => false)
  await pass(5_000)
  count('last')
  await pass(20_000)
  await Promise.all(works)
  const stored = await hours()
  expect([stored.length, stored.reduce((total, [, each]) => total + each, 0)]).toEqual([
    uses + 1,
    uses + 1,
  ])
})

it('writes with the next use what D1 did not take, however long ago the others were answered', async () => {
  recordLogs()
  const { count, writes, breakWrites, pass, works, stored } = await someIsolate()
  breakWrites(() => true)
  count()
  await pass(60_000)
  await Promise.all(works)
  // It has tried again for 20 s. A Worker may work on for 30 s after an answer.
  expect(writes()).toBe(5)
  breakWrites(() => false)
  await pass(HOUR_MS)
  expect(writes()).toBe(5)
  count('another')
  await pass(0)
  expect([await stored(), await stored('another')]).toMatchObject([{ uses: 1 }, { uses: 1 }])
})

it('an isolate whose bytes are used up while D1 fails logs how many uses had no room', async () => {
  const logs = recordLogs()
  const isolate = await someIsolate({ id: `${'語'.repeat(1_900)}${crypto.randomUUID()}` })
  const { count, breakWrites, pass, works, uses } = isolate
  breakWrites(() => true)
  count()
  await pass(0)
  const total = 3_000
  for (let use = 1; use < total; use += 1) count(`caller-${use}`)
  breakWrites(() => false)
  await pass(5_000)
  await pass(20_000)
  await Promise.all(works)
  const lost = logs
    .events()
    .flatMap(({ event, count: each }) => (event === 'not_in_trail' ? [Number(each)] : []))
  expect(lost).toHaveLength(1)
  expect(lost[0]).toBeGreaterThan(0)
  expect(Number(await uses()) + Number(lost[0])).toBe(total)
})

it('writes at once what it has collected when half of its room is used up, and loses no use', async () => {
  const logs = recordLogs()
  const isolate = await someIsolate({
    faults: 1,
    id: `${'語'.repeat(1_900)}${crypto.randomUUID()}`,
  })
  const { count, pass, works, uses } = isolate
  count()
  await pass(0)
  for (let use = 0; use < 1_000; use += 1) count(`caller-${use}`)
  await pass(5_000)
  expect(await uses()).toBe(1_001)
  for (let use = 0; use < 1_000; use += 1) count(`caller-${use}`)
  await pass(0)
  expect(await uses()).toBeGreaterThan(1_001)
  await pass(20_000)
  await Promise.all(works)
  expect(await uses()).toBe(2_001)
  expect(logs.events()).toHaveLength(1)
})

it('writes many sums with long user ids in parts, and repeats only the part that failed', async () => {
  const logs = recordLogs()
  const isolate = await someIsolate({
    faults: 1,
    id: `${'語'.repeat(1_900)}${crypto.randomUUID()}`,
  })
  const { count, writes, breakWrites, pass, works, stored } = isolate
  count()
  await pass(0)
  for (let index = 0; index < 1_000; index += 1) count(`caller-${index}`)
  breakWrites((write) => write === 3)
  await pass(5_000)
  // Each has about 6,000 bytes, and a parameter 2,000,000.
  expect(writes()).toBe(1 + 3)
  await vi.waitFor(() => expect(logs.events()).toHaveLength(2))
  await pass(5_000)
  await Promise.all(works)
  expect(writes()).toBe(1 + 3 + 1)
  expect(await stored('caller-0')).toEqual({ sums: 1_001, uses: 1 })
  expect(await isolate.uses()).toBe(1_001)
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
  const { count, pass, works, hours } = await someIsolate({ faults: 1 })
  for (const ms of uses) {
    vi.setSystemTime(NOON + ms)
    count('chat', 1)
    // oxlint-disable-next-line no-await-in-loop -- the first use comes back while the second one waits
    if (ms > 0) await works[0]
  }
  await pass(20_000)
  await Promise.all(works)
  const [first, last] = [0, uses.at(-1) ?? 0].map((ms) =>
    new Date(NOON + ms).toISOString().slice(14, 23),
  )
  const total = uses.length
  expect(await hours()).toEqual([['2026-11-26T12', total, total, first, last]])
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
  const sql = `SELECT sum(value ->> 0) AS uses FROM api_key_events, json_each(hours)
    WHERE user_id = ?1 AND event = 'use_refused'`
  expect(await env.DB.prepare(sql).bind(userId).first('uses')).toBe(6)
})
