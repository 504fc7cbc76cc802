/** Uses are counted by days and months in UTC, and a key expires, to the millisecond. */

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { overMaximum, readLimits, requireAllowed, usedNow } from '../../src/keys/limits.ts'
import { isKeyRow } from '../../src/keys/stored-key.ts'
import { selectKey, type KeyRow, type Period } from '../../src/store/api-keys.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import {
  updateLimits,
  writeLimits,
  type KeptLimits,
  type NewLimits,
} from '../../src/store/limits.ts'
import { giveUseBack, takeUse, type PickedNothing, type PickedRow } from '../../src/store/uses.ts'
import { env } from '../isolate.ts'
import { someUse } from './rows.ts'

/** Sets the Worker's clock. D1's own stays as it is. */
const setClock = (time: string | number) => vi.setSystemTime(time)

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => vi.useRealTimers())

const usedIn = (row: KeyRow | undefined) => row && readLimits(row).maxUses?.used

function pickedIn([row]: readonly (PickedRow | PickedNothing)[] = []): PickedRow {
  if (row === undefined || row.sealed === null) throw new Error('No key was picked')
  return row
}

/** A key with limits, and what its uses are. Nobody opens it. */
async function someLimited(limits: NewLimits) {
  const slot = { userId: crypto.randomUUID(), provider: 'openai' }
  const insertKey = `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id)
    VALUES (?1, 'openai', 'v1.sealed', 'kid')`
  const statements = ['INSERT INTO users (id) VALUES (?1)', insertKey]
  await env.DB.batch(statements.map((sql) => env.DB.prepare(sql).bind(slot.userId)))
  const read = selectKey({ ...slot, takesDefault: false })
  const found = (results: readonly object[]) => {
    const row = results.find(isKeyRow)
    if (row === undefined) throw new Error('The key is missing')
    return row
  }
  /** Changes limits. @returns the events */
  const change = async (changes: NewLimits) => {
    const [events] = await runBatch(
      env.DB,
      updateLimits({ ...slot, by: { kind: 'owner' } }, changes),
    )
    return events.results.map(({ event }) => event)
  }
  await change(limits)
  return {
    slot,
    change,
    row: async () => found((await run(env.DB, read)).results),
    picked: async () => pickedIn((await runBatch(env.DB, takeUse(someUse(slot))))[0]?.results),
    used: async () => usedIn(found((await run(env.DB, read)).results)),
    /** How often the key is used by now. A refusal has its code, its detail and the seconds to wait. */
    use: async (caller = 'binding:chat') => {
      const asked = someUse({ ...slot, ...usedNow(caller) })
      const [picked] = await runBatch(env.DB, takeUse(asked))
      const now = found((await run(env.DB, read)).results)
      try {
        const row = pickedIn(picked?.results)
        requireAllowed(row, asked)
        if (row.isLeftOut === 1) throw overMaximum(row, asked)
        return [usedIn(now)]
      } catch (error) {
        const { code, detail, retryAfter } = VaultError.from(error)
        return [usedIn(now), code, detail, retryAfter]
      }
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
  ['28 February 2100, not in a leap year', 'day', '2100-02-28', '2100-03-01'],
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

it.for(PERIODS)('counts uses from midnight to midnight in UTC: %s', async ([, ...period]) => {
  const [per, begins, ends] = period
  const [first, next] = [Date.parse(begins), Date.parse(ends)]
  const { use, used } = await someLimited({ maxUses: { count: 1, per } })
  const again = `The key can be used again from ${ends}T00:00:00.000Z.`
  setClock(first)
  expect([await use(), await use()]).toEqual([
    [1],
    [1, 'limit_reached', again, (next - first) / 1_000],
  ])
  setClock(next - 1)
  expect(await use()).toEqual([1, 'limit_reached', again, 1])
  setClock(next)
  expect([await used(), await use()]).toEqual([0, [1]])
})

it.for<[name: string, per: Period, behind: string, ahead: string]>([
  ['seconds, around midnight', 'day', '2026-11-25T23:59:58.000Z', '2026-11-26T00:00:01.000Z'],
  ['minutes, around midnight', 'day', '2028-02-28T23:56:00.000Z', '2028-02-29T00:01:00.000Z'],
  ['at the end of a month', 'month', '2027-02-28T23:59:59.999Z', '2027-03-01T00:00:00.000Z'],
  ['at the end of a year', 'month', '2026-12-31T23:59:00.000Z', '2027-01-01T00:00:30.000Z'],
])('allows no use too many if the clocks of two isolates differ: %s', async ([, ...given]) => {
  const [per, behind, ahead] = given
  const { use } = await someLimited({ maxUses: { count: 2, per } })
  const at = async (time: string) => {
    setClock(time)
    return (await use()).slice(0, 2)
  }
  // With the second one, the next period has begun for both.
  expect([await at(behind), await at(ahead), await at(behind)]).toEqual([[1], [1], [2]])
  expect([await at(behind), await at(ahead)]).toEqual([
    [2, 'limit_reached'],
    [2, 'limit_reached'],
  ])
})

it.for([
  '2026-11-25T23:59:59.999Z',
  '2026-11-26T00:00:00.000Z',
  '2027-03-28T01:00:00.000Z',
  '2028-02-29T00:00:00.000Z',
  '2028-02-29T23:59:59.999Z',
  '2038-01-19T03:14:08.000Z',
  '2100-03-01T00:00:00.000Z',
  '9999-12-31T23:59:59.999Z',
])('counts a use until the millisecond before the key expires: %s', async (expiresAt) => {
  const { use } = await someLimited({ maxUses: { count: 9, per: 'month' }, expiresAt })
  setClock(Date.parse(expiresAt) - 1)
  expect(await use()).toEqual([1])
  setClock(expiresAt)
  expect((await use())[1]).toBe('api_key_expired')
  setClock(Date.parse(expiresAt) - 1)
  expect(await use()).toEqual([2])
})

it('gives a use back that was counted, once the key did not open', async () => {
  setClock('2026-11-25T12:00:00.000Z')
  const { picked, use, used } = await someLimited({ maxUses: { count: 1, per: 'day' } })
  await runBatch(env.DB, giveUseBack(await picked(), usedNow(null).periods))
  expect([await used(), await use()]).toEqual([0, [1]])
})

it.for([
  ['the next period has begun', "uses_in = '2026-11-26'"],
  ['the key was replaced', "identity = 'another'"],
  ['the uses were counted anew', 'uses = 0'],
])('gives no use back if %s meanwhile', async ([, change]) => {
  setClock('2026-11-25T12:00:00.000Z')
  const { picked, slot } = await someLimited({ maxUses: { count: 9, per: 'day' } })
  const read = await picked()
  const changing = `UPDATE api_keys SET ${change} WHERE user_id = ?1`
  await env.DB.prepare(changing).bind(slot.userId).run()
  const [{ meta } = { meta: null }] = await runBatch(
    env.DB,
    giveUseBack(read, usedNow(null).periods),
  )
  expect(meta?.changes).toBe(0)
})

it.for<[what: string, limits: NewLimits]>([
  ['a pause', { isPaused: true }],
  ['another caller', { callers: ['relay:chat'] }],
  ['no caller', { callers: [] }],
  ['a maximum of 0', { maxUses: { count: 0, per: 'day' } }],
])('counts no use that is refused because of %s', async ([, limits]) => {
  setClock('2026-11-25T12:00:00.000Z')
  const { use, row, change } = await someLimited({ maxUses: { count: 9, per: 'day' } })
  await change(limits)
  expect(await use()).toHaveLength(4)
  expect(await row()).toMatchObject({ uses: 0, usesIn: null })
})

const ALL = {
  isPaused: true,
  callers: ['binding:chat'],
  maxUses: { count: 5, per: 'day' },
  expiresAt: '2999-01-01T00:00:00.000Z',
} as const

describe('a change of limits', () => {
  it.for<[change: NewLimits, events: string[]]>([
    [{ isPaused: true }, ['paused']],
    [{ isPaused: false }, []],
    [{ callers: null, maxUses: null, expiresAt: null }, []],
    [{}, []],
    [{ callers: ['binding:chat'], maxUses: { count: 1, per: 'day' } }, ['limits_changed']],
    [{ isPaused: true, callers: [] }, ['paused']],
    [ALL, ['paused']],
    [{ isPaused: false, callers: [] }, ['limits_changed']],
  ])('%j of a key without limits is noted as %j, and raises the revision as often', async (row) => {
    const [changes, events] = row
    const { change, row: read } = await someLimited({})
    expect(await change(changes)).toEqual(events)
    expect((await read()).revision).toBe(1 + events.length)
    expect(await change(changes)).toEqual([])
    expect((await read()).revision).toBe(1 + events.length)
  })

  it.for<[change: NewLimits, events: string[], after: object]>([
    [{ isPaused: false }, ['resumed'], { pausedAt: null }],
    [{ isPaused: true }, [], {}],
    [{ isPaused: false, callers: null }, ['resumed'], { pausedAt: null, callers: null }],
    [{ callers: null }, ['limits_changed'], { callers: null }],
    [{ callers: [] }, ['limits_changed'], { callers: '[]' }],
    [{ maxUses: null }, ['limits_changed'], { maxUses: null, maxUsesPer: null }],
    [{ maxUses: { count: 6, per: 'day' } }, ['limits_changed'], { maxUses: 6 }],
    [{ maxUses: { count: 5, per: 'month' } }, ['limits_changed'], { maxUsesPer: 'month' }],
    [{ expiresAt: null }, ['limits_changed'], { expiresAt: null }],
  ])('%j of a key with all limits is noted as %j, and changes %j alone', async (given) => {
    const [changes, events, after] = given
    const { change, row } = await someLimited(ALL)
    const before = await row()
    expect(await change(changes)).toEqual(events)
    expect(await row()).toEqual({ ...before, revision: before.revision + events.length, ...after })
  })

  it.for<[change: NewLimits, used: number]>([
    [{ maxUses: { count: 9, per: 'day' } }, 1],
    [{ callers: null }, 1],
    [{ maxUses: { count: 9, per: 'month' } }, 0],
  ])('the uses of a key after the change %j are %i', async ([changes, uses]) => {
    setClock('2026-11-25T12:00:00.000Z')
    const { change, used, use } = await someLimited({ maxUses: { count: 5, per: 'day' } })
    await use()
    await change(changes)
    expect(await used()).toBe(uses)
  })

  it('an expiry is noted again once it was changed, and not after another change', async () => {
    const { change, slot } = await someLimited(ALL)
    const isNoted = async () =>
      env.DB.prepare('SELECT expiry_noted FROM api_keys WHERE user_id = ?1')
        .bind(slot.userId)
        .first('expiry_noted')
    const note = 'UPDATE api_keys SET expiry_noted = 1 WHERE user_id = ?1'
    await env.DB.prepare(note).bind(slot.userId).run()
    await change({ isPaused: false })
    expect(await isNoted()).toBe(1)
    await change({ expiresAt: '2998-01-01T00:00:00.000Z' })
    expect(await isNoted()).toBe(0)
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
    const key = await someLimited({})
    await env.DB.prepare('UPDATE api_keys SET expiry_noted = 1').run()
    await run(env.DB, writeLimits(key.slot, LIMITS))
    expect(await key.row()).toMatchObject({ ...LIMITS, revision: 2 })
    const noted = env.DB.prepare('SELECT expiry_noted FROM api_keys WHERE user_id = ?1')
    expect(await noted.bind(key.slot.userId).first('expiry_noted')).toBe(0)
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
    const key = await someLimited({})
    const count = env.DB.prepare('UPDATE api_keys SET uses_in = ?1, uses = ?2')
    await count.bind(...counted).run()
    await run(env.DB, writeLimits(key.slot, LIMITS))
    const [usesIn, uses] = kept
    expect(await key.row()).toMatchObject({ usesIn, uses })
  })

  it('limits without uses keep a first use that was counted meanwhile', async () => {
    const none = { ...LIMITS, uses: 0, usesIn: null }
    const key = await someLimited({})
    const write = async () => run(env.DB, writeLimits(key.slot, none))
    await write()
    expect(await key.row()).toMatchObject({ uses: 0, usesIn: null })
    await env.DB.prepare("UPDATE api_keys SET uses = 1, uses_in = '2026-11-29'").run()
    await write()
    expect(await key.row()).toMatchObject({ uses: 1, usesIn: '2026-11-29' })
  })
})
