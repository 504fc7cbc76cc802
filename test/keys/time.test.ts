/** Limits, expiry and the trail at midnight, at month ends, on leap days and in far years, to the millisecond. */

import { env } from '../isolate.ts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { deleteExpiredKeys } from '../../src/keys/expiry.ts'
import { setLimits } from '../../src/keys/set-limits.ts'
import { readSlot } from '../../src/keys/slots.ts'
import { deleteOldEvents, listEvents, type EventPage } from '../../src/keys/trail.ts'
import { revealKey } from '../../src/keys/use.ts'
import { openService } from '../../src/service.ts'
import type { Period } from '../../src/store/api-keys.ts'
import { LATEST } from '../../src/store/events.ts'
import {
  call,
  mintToken,
  ownerOf,
  recordLogs,
  slotPath,
  someKey,
  someKeyUser,
  someUser,
  storedKey,
} from '../support.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** Sets the Worker's clock. D1's own stays as it is. */
const setClock = (time: string | number) => vi.setSystemTime(time)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

/** What happens to a key of a user. Each use waits until it is counted. */
async function someReader() {
  const userId = await someKeyUser(someKey())
  const owner = await ownerOf(userId)
  const set = async (column: string, value: string) =>
    env.DB.prepare(`UPDATE api_keys SET ${column} = ?2 WHERE user_id = ?1`)
      .bind(userId, value)
      .run()
  return {
    userId,
    set,
    limit: async (count: number, per: Period) =>
      setLimits(owner, 'openai', { condition: null, maxUses: { count, per } }),
    used: async () => {
      const key = await readSlot(owner, 'openai')
      return key.state === 'open' ? key.limits.maxUses?.used : null
    },
    /** `ok`, or the code of the refusal with its detail and the seconds to wait. */
    read: async (vault: Env = env) => {
      const work: Promise<void>[] = []
      const by = { kind: 'caller', name: 'chat' } as const
      const waitUntil = (promise: Promise<void>) => void work.push(promise)
      const reader = { ...(await ownerOf(userId, vault)), by, waitUntil }
      const outcome = await revealKey(reader, 'openai').then(
        () => ['ok'],
        (error: unknown) => {
          const { code, detail, retryAfter } = VaultError.from(error)
          return [code, detail, retryAfter]
        },
      )
      await Promise.all(work)
      return outcome
    },
  }
}

/** Days and months in UTC: on which day they begin, and on which day the next one does. */
const PERIODS: [name: string, per: Period, begins: string, ends: string][] = [
  ['an ordinary day', 'day', '2026-11-25', '2026-11-26'],
  ['a day that Berlin ends an hour later', 'day', '2026-10-25', '2026-10-26'],
  ['a day that Berlin ends an hour earlier', 'day', '2027-03-28', '2027-03-29'],
  ['the last day of a month', 'day', '2026-11-30', '2026-12-01'],
  ['28 February', 'day', '2027-02-28', '2027-03-01'],
  ['28 February of a leap year', 'day', '2028-02-28', '2028-02-29'],
  ['29 February', 'day', '2028-02-29', '2028-03-01'],
  ['28 February 2100, not a leap year', 'day', '2100-02-28', '2100-03-01'],
  ['the last day of a year', 'day', '2026-12-31', '2027-01-01'],
  ['the day on which 32 bits end', 'day', '2038-01-19', '2038-01-20'],
  ['a month of 30 days', 'month', '2026-11-01', '2026-12-01'],
  ['a month of 31 days', 'month', '2027-01-01', '2027-02-01'],
  ['February', 'month', '2027-02-01', '2027-03-01'],
  ['February of a leap year', 'month', '2028-02-01', '2028-03-01'],
  ['February 2100', 'month', '2100-02-01', '2100-03-01'],
  ['December', 'month', '2026-12-01', '2027-01-01'],
  ['the month in which 32 bits end', 'month', '2038-01-01', '2038-02-01'],
  ['the last day of four digits', 'day', '9999-12-30', '9999-12-31'],
]

describe('a maximum of uses', () => {
  it.for(PERIODS)('begins and ends at midnight in UTC: %s', async ([, per, begins, ends]) => {
    const [first, next] = [Date.parse(begins), Date.parse(ends)]
    const { limit, read, used } = await someReader()
    await limit(1, per)
    const again = `The key can be used again from ${ends}T00:00:00.000Z.`
    setClock(first)
    expect([await read(), await read(), await used()]).toEqual([
      ['ok'],
      ['limit_reached', again, (next - first) / 1_000],
      1,
    ])
    setClock(next - 1)
    expect([await read(), await used()]).toEqual([['limit_reached', again, 1], 1])
    setClock(next)
    expect([await used(), await read(), await used()]).toEqual([0, ['ok'], 1])
  })

  it.for<[name: string, per: Period, behind: string, ahead: string]>([
    ['seconds, around midnight', 'day', '2026-11-25T23:59:58.000Z', '2026-11-26T00:00:01.000Z'],
    ['minutes, around midnight', 'day', '2028-02-28T23:56:00.000Z', '2028-02-29T00:01:00.000Z'],
    ['at the end of a month', 'month', '2027-02-28T23:59:59.999Z', '2027-03-01T00:00:00.000Z'],
    ['at the end of a year', 'month', '2026-12-31T23:59:00.000Z', '2027-01-01T00:00:30.000Z'],
  ])('is never exceeded if the clocks of two isolates differ: %s', async ([, ...given]) => {
    const [per, behind, ahead] = given
    const { limit, read, used } = await someReader()
    await limit(2, per)
    const at = async (time: string) => {
      setClock(time)
      return [(await read())[0], await used()]
    }
    expect([await at(behind), await at(ahead), await at(behind)]).toEqual([
      ['ok', 1],
      // The next period has begun, for both of them.
      ['ok', 1],
      ['ok', 2],
    ])
    expect([await at(behind), await at(ahead)]).toEqual([
      ['limit_reached', 2],
      ['limit_reached', 2],
    ])
  })
})

const MOMENTS = [
  '2026-11-25T23:59:59.999Z',
  '2026-11-26T00:00:00.000Z',
  '2027-03-28T01:00:00.000Z',
  '2028-02-29T00:00:00.000Z',
  '2028-02-29T23:59:59.999Z',
  '2038-01-19T03:14:08.000Z',
  '2100-03-01T00:00:00.000Z',
  '9999-12-31T23:59:59.999Z',
]

describe('a key that expires', () => {
  it.for(MOMENTS)('can be used until the millisecond before: %s', async (expiresAt) => {
    const { limit, set, read, used } = await someReader()
    await limit(9, 'month')
    await set('expires_at', expiresAt)
    setClock(Date.parse(expiresAt) - 1)
    expect(await read()).toEqual(['ok'])
    const count = await used()
    setClock(expiresAt)
    expect((await read())[0]).toBe('api_key_expired')
    setClock(Date.parse(expiresAt) - 1)
    expect(await used()).toBe(count)
  })

  it.for(MOMENTS.slice(0, -1))('is noted from that millisecond on, once: %s', async (expiresAt) => {
    const { userId, set } = await someReader()
    await set('expires_at', expiresAt)
    const noted = async (later: number) => {
      setClock(Date.parse(expiresAt) + later)
      await deleteExpiredKeys(await openService(env))
      const { results } = await env.DB.prepare(
        "SELECT day, id FROM api_key_events WHERE user_id = ?1 AND event = 'expired'",
      )
        .bind(userId)
        .all()
      return results
    }
    const event = { day: expiresAt.slice(0, 10), id: `${expiresAt}.openai` }
    expect([await noted(-1), await noted(0), await noted(1), await noted(DAY_MS - 1)]).toEqual([
      [],
      [event],
      [event],
      [event],
    ])
  })

  it.for(
    MOMENTS.slice(0, -1).flatMap((time) => ['0', '1', '30'].map((days) => [time, days] as const)),
  )('is deleted after its days to the millisecond: %s, %s days', async ([expiresAt, days]) => {
    recordLogs()
    const { userId, set } = await someReader()
    await set('expires_at', expiresAt)
    const isLeft = async (later: number) => {
      setClock(Date.parse(expiresAt) + Number(days) * DAY_MS + later)
      await deleteExpiredKeys(await openService({ ...env, EXPIRED_KEPT_DAYS: days }))
      return (await storedKey(userId, env, 'openai')) !== null
    }
    expect([await isLeft(0), await isLeft(1)]).toEqual([true, false])
  })
})

describe('an event', () => {
  it.for([
    ['2026-11-25', '90', '2027-02-24'],
    ['2027-12-01', '90', '2028-03-01'],
    ['2028-02-29', '1', '2028-03-02'],
    ['2028-02-28', '1', '2028-03-01'],
    ['2027-02-27', '1', '2027-03-01'],
    ['2026-12-31', '30', '2027-01-31'],
    ['2100-02-28', '1', '2100-03-02'],
    ['2038-01-19', '365', '2039-01-20'],
    // The trail keeps it for a day in any case.
    ['2026-11-25', '0', '2026-11-27'],
  ] as const)('of %s, kept for %s days, is gone from the start of %s', async ([day, days, end]) => {
    const userId = await someUser()
    const insert = `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
      VALUES (?2, ?1, ?2 || 'T' || ?3, 'openai', 'saved', 'owner')`
    for (const time of ['00:00:00.000Z.a', '23:59:59.999Z.b']) {
      await env.DB.prepare(insert).bind(userId, day, time).run()
    }
    const left = async (time: number) => {
      setClock(time)
      await deleteOldEvents(await openService({ ...env, EVENTS_KEPT_DAYS: days }))
      return env.DB.prepare('SELECT count(*) AS n FROM api_key_events WHERE user_id = ?1')
        .bind(userId)
        .first('n')
    }
    expect([await left(Date.parse(end) - 1), await left(Date.parse(end))]).toEqual([2, 0])
  })
})

describe('the trail, if the clocks of two isolates differ', () => {
  const rowsOf = async (userId: string) => {
    const { results } = await env.DB.prepare(
      'SELECT day, id, event, count, first_at, last_at FROM api_key_events WHERE user_id = ?1',
    )
      .bind(userId)
      .all<Record<string, string | number | null>>()
    return results
  }

  /** Reads the trail in pages of one event. */
  const pagesOf = async (userId: string) => {
    const owner = await ownerOf(userId)
    const ids: string[] = []
    let cursor: string | null = LATEST
    while (cursor !== null) {
      // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
      const page: EventPage = await listEvents(owner, { cursor, limit: 1 })
      ids.push(...page.events.map(({ id }) => id))
      cursor = page.next
    }
    return ids
  }

  it.for([
    ['an hour ahead', 60 * 60 * 1_000],
    ['an hour behind', -60 * 60 * 1_000],
    ['a day ahead', DAY_MS],
    ['a year behind', -365 * DAY_MS],
  ] as const)('has changes in their order, by the clock of D1: %s', async ([, ahead]) => {
    const { now } = Date
    const started = new Date(now()).toISOString()
    const { userId, limit } = await someReader()
    const token = await mintToken({ sub: userId, exp: 9_999_999_999 })
    setClock(now() + ahead)
    await call('DELETE', slotPath(userId, 'openai'), { token })
    setClock(started)
    await call('PUT', `${slotPath(userId, 'openai')}?verify=false`, {
      token,
      body: { api_key: someKey() },
    })
    await limit(1, 'day')
    vi.useRealTimers()
    const rows = (await rowsOf(userId)).toSorted((a, b) =>
      String(a['id']).localeCompare(String(b['id'])),
    )
    expect(rows.map(({ event }) => event)).toEqual(['saved', 'deleted', 'saved', 'limits_changed'])
    const days = [started.slice(0, 10), new Date().toISOString().slice(0, 10)]
    for (const { day, id } of rows) {
      expect(String(id).slice(0, 10)).toBe(day)
      expect(days).toContain(day)
    }
  })

  it.for<[name: string, behind: string, ahead: string, hours: string[]]>([
    ['in one hour', '2027-02-28T23:10:00.000Z', '2027-02-28T23:50:00.000Z', ['2027-02-28T23']],
    [
      'around midnight',
      '2028-02-28T23:59:59.999Z',
      '2028-02-29T00:00:00.000Z',
      ['2028-02-28T23', '2028-02-29T00'],
    ],
  ])('has each use once: %s', async ([, behind, ahead, hours]) => {
    const { userId, read } = await someReader()
    const [one, other] = [{ ...env }, { ...env }]
    for (const [time, isolate] of [
      [ahead, one],
      [behind, other],
    ] as const) {
      setClock(time)
      // oxlint-disable-next-line no-await-in-loop -- the clock is the same for all
      expect(await read(isolate)).toEqual(['ok'])
    }
    const sums = (await rowsOf(userId)).filter(({ event }) => event === 'revealed')
    expect(sums.reduce((total, { count }) => total + Number(count), 0)).toBe(2)
    expect(sums.map(({ id }) => String(id).slice(0, 13)).toSorted()).toEqual(hours)
    const times = (name: string) => sums.map((sum) => String(sum[name])).toSorted()
    expect([times('first_at')[0], times('last_at').at(-1)]).toEqual([behind, ahead])
    for (const { day, id } of sums) expect(String(id).slice(0, 10)).toBe(day)
    const ids = (await rowsOf(userId)).map(({ id }) => String(id))
    expect(await pagesOf(userId)).toEqual(ids.toSorted().toReversed())
  })
})
