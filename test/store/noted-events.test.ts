/** What callers do with a key is summed by the hour, in the trail of its user: a row for each day. */

import { afterEach, expect, it, vi } from 'vitest'
import { setLimits } from '../../src/keys/slots.ts'
import { takeKey } from '../../src/keys/take.ts'
import { listEvents, type EventPage, type EventQuery } from '../../src/keys/trail.ts'
import { addUser, removeUser } from '../../src/keys/users.ts'
import { openService } from '../../src/service.ts'
import { run } from '../../src/store/d1.ts'
import { addSums, nameSum, splitSums, type Hours, type Sum } from '../../src/store/noted-events.ts'
import { describeEvent, LATEST } from '../../src/store/events.ts'
import { env } from '../isolate.ts'
import { MODELS, someKeyOf, someOwner, sum, type Owner } from '../keys/key-owner.ts'
import { userIdentityOf } from '../keys/restoration.ts'
import { ownerOf, slotOf, someKey, someKeyUser, someUser } from '../support.ts'

const byChat = { provider: 'openai', by: 'caller', caller: 'binding:chat' }

afterEach(() => vi.useRealTimers())

it('the uses of an hour are one sum, from whichever isolate they come', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2_026, 10, 25, 12, 0, 0) })
  const { userId, save, use, events } = await someOwner()
  await save(someKeyOf('good'))
  await use()
  vi.setSystemTime(Date.UTC(2_026, 10, 25, 12, 30))
  const otherIsolate = await someOwner({ userId })
  await otherIsolate.use({ method: 'POST', body: 'again' })
  vi.setSystemTime(Date.UTC(2_026, 10, 25, 13, 0))
  await use()
  vi.useRealTimers()
  const uses = (await events()).filter(({ event }) => event === 'used')
  const [at, last_at, later] = ['12:00', '12:30', '13:00'].map(
    (hour) => `2026-11-25T${hour}:00.000Z`,
  )
  expect(uses).toMatchObject([
    { ...byChat, count: 2, errors: 0, at, last_at },
    { ...byChat, count: 1, errors: 0, at: later, last_at: later },
  ])
})

it.for<[what: string, kind: string, use: (owner: Owner) => Promise<unknown>, expected: object]>([
  [
    'a use that its provider calls a bad request',
    'odd',
    async ({ use }) => use(),
    { ...byChat, event: 'used', errors: 1 },
  ],
  [
    'a use through the relay, with the client of the token',
    'good',
    async ({ request }) => request('GET', '/relay/openai/v1/models'),
    { ...byChat, caller: 'relay:notebook', event: 'used' },
  ],
  [
    'a use of a paused key, with the code of the refusal',
    'good',
    async ({ limit, use }) => {
      await limit('openai', { paused: true })
      await use()
    },
    { ...byChat, event: 'use_refused', code: 'api_key_paused' },
  ],
])('shows %s', async ([, kind, use, expected]) => {
  const owner = await someOwner()
  await owner.save(someKeyOf(kind))
  await use(owner)
  const last = (await owner.events()).at(-1)
  expect(last).toEqual({ ...sum, id: expect.any(String), ...expected })
})

it('counts a bound Worker and a client of the relay apart if they have the same name', async () => {
  const { save, bound, userId, request, events } = await someOwner()
  await save(someKeyOf('good'))
  const props = { caller: 'notebook', grants: ['use'] }
  await bound(async (vault) => {
    const result = await vault.fetchWithApiKey(userId, 'openai', new Request(MODELS))
    if (result.ok) await result.response.text()
  }, props)
  await request('GET', '/relay/openai/v1/models')
  expect((await events()).slice(1)).toMatchObject([
    { event: 'used', caller: 'binding:notebook', count: 1 },
    { event: 'used', caller: 'relay:notebook', count: 1 },
  ])
})

it('shows a use that its provider rejects as an error, beside the rejection', async () => {
  const { save, use, events } = await someOwner()
  await save(someKeyOf('bad'))
  await use()
  const [, rejected, used] = await events()
  expect(rejected).toMatchObject({ ...byChat, event: 'rejected_in_use', provider_status: 401 })
  expect(used).toMatchObject({ ...byChat, ...sum, event: 'used', errors: 1 })
})

const NOON: Sum = {
  userId: '',
  userIdentity: '',
  provider: 'openai',
  event: 'used',
  caller: 'binding:chat',
  member: null,
  code: null,
  day: '2026-11-25',
  hours: { 12: [2, 1, '10:00.000', '20:00.000'] },
}

it('returns the rows with the hours that were added to them, and leaves out removed users', async () => {
  const userId = await someUser()
  const userIdentity = await userIdentityOf(userId)
  const add = async (...sums: Sum[]) => {
    const { results } = await run(env.DB, addSums(sums))
    for (const row of results) Object.assign(row, { hours: JSON.parse(row.hours) })
    return results
  }
  const mine = { ...NOON, userId, userIdentity }
  const row = { userId, actor: 'caller', day: NOON.day }
  expect(await add(mine, { ...NOON, userId: 'nobody', userIdentity })).toMatchObject([
    { ...row, hours: NOON.hours },
  ])
  const hours: Hours = {
    11: [1, 1, '59:59.999', '59:59.999'],
    12: [3, 0, '00:00.000', '15:00.000'],
    13: [4, 2, '00:00.001', '59:00.000'],
  }
  expect(await add({ ...mine, hours })).toMatchObject([
    { ...row, hours: { ...hours, 12: [5, 1, '00:00.000', '20:00.000'] } },
  ])
})

it('writes one row for all hours of a day', async () => {
  const userId = await someUser()
  const one = { ...NOON, userId, userIdentity: await userIdentityOf(userId) }
  const written = async (hours: Hours) =>
    (await run(env.DB, addSums([{ ...one, hours }]))).meta.rows_written
  expect(await written(NOON.hours)).toBe(1)
  expect(await written({ 12: [9, 9, '00:00.000', '59:59.999'], 13: [1, 0, '0', '1'] })).toBe(1)
})

it('shows an event for each hour of a row, in pages, in order', async () => {
  const userId = await someUser()
  const one = { ...NOON, userId, userIdentity: await userIdentityOf(userId) }
  const hours: Hours = {
    '03': [7, 0, '01:02.003', '04:05.006'],
    '23': [1, 1, '59:59.999', '59:59.999'],
  }
  const other = {
    ...one,
    caller: 'binding:batch',
    hours: { '04': [1, 0, '00:00.000', '00:00.000'] },
  } satisfies Sum
  await run(env.DB, addSums([{ ...one, hours }, other]))
  const ids = ['23', '04', '03'].map((hour) => {
    const caller = hour === '04' ? 'batch' : 'chat'
    return `2026-11-25T${hour}:59:59.999Z.["used",null,"openai","binding:${caller}"]`
  })
  expect(await idsOf(userId)).toEqual(ids)
  const { events } = await listEvents(await ownerOf(userId), { limit: 3 })
  expect(events.map(describeEvent)).toMatchObject([
    {
      id: ids[0],
      count: 1,
      errors: 1,
      at: '2026-11-25T23:59:59.999Z',
      last_at: '2026-11-25T23:59:59.999Z',
    },
    { id: ids[1], count: 1, errors: 0 },
    {
      id: ids[2],
      count: 7,
      errors: 0,
      at: '2026-11-25T03:01:02.003Z',
      last_at: '2026-11-25T03:04:05.006Z',
    },
  ])
})

it('reads the hours of a row from a time, to a time and after a cursor', async () => {
  const userId = await someUser()
  const one = { ...NOON, userId, userIdentity: await userIdentityOf(userId) }
  const use = [1, 0, '10:00.000', '20:00.000'] satisfies Hours[string]
  const other = { ...one, caller: 'binding:batch', hours: { 11: use } }
  await run(env.DB, addSums([{ ...one, hours: { '09': use, 11: use, 23: use } }, other]))
  const owner = await ownerOf(userId)
  const read = async (query: Omit<EventQuery, 'limit'>) => {
    const ids: string[] = []
    for (let cursor = query.cursor; ;) {
      // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
      const { events, next } = await listEvents(owner, { ...query, cursor, limit: 1 })
      ids.push(...events.map(({ id }) => id))
      if (next === null) return ids.map((id) => id.slice(11, 13) + (id.match(/batch/) ?? ''))
      cursor = next
    }
  }
  const at = (time: string) => `2026-11-25T${time}.000Z`
  expect(await read({})).toEqual(['23', '11', '11batch', '09'])
  expect(await read({ from: at('10:00:00') })).toEqual(['23', '11', '11batch'])
  expect(await read({ to: at('12:00:00') })).toEqual(['11', '11batch', '09'])
  // The time of a sum is the end of its hour.
  expect(await read({ from: at('11:30:00'), to: at('23:30:00') })).toEqual(['11', '11batch'])
  expect(await read({ from: at('10:00:00'), cursor: at('12:00:00') })).toEqual(['11', '11batch'])
})

it('leaves out the sums of a user who was removed, and was added again', async () => {
  const [service, userId] = [await openService(env), await someUser()]
  const userIdentity = await userIdentityOf(userId)
  await removeUser(service, userId)
  await addUser(service, userId)
  const sums = [{ ...NOON, userId, userIdentity }]
  expect((await run(env.DB, addSums(sums))).results).toEqual([])
  const again = [{ ...NOON, userId, userIdentity: await userIdentityOf(userId) }]
  expect((await run(env.DB, addSums(again))).results).toHaveLength(1)
})

it.for<[what: string, text: string, parts: number]>([
  ['a common length', crypto.randomUUID(), 1],
  ['2,000 letters', 'x'.repeat(2_000), 3],
  ['2,000 characters of three bytes', '語'.repeat(2_000), 7],
  ['1,000 characters that JSON escapes', '\u0001'.repeat(1_000), 7],
])('splits 2,000 sums of user ids of %s into parts that D1 takes', ([, userId, parts]) => {
  const sums = Array.from({ length: 2_000 }, (_, index) => ({
    ...NOON,
    userId,
    caller: `${index}`,
  }))
  const split = splitSums(sums)
  const bytes = split.flatMap((part) =>
    addSums(part).values.map((value) => new TextEncoder().encode(String(value)).length),
  )
  expect([split.flat(), split.length]).toEqual([sums, parts])
  expect(Math.max(...bytes)).toBeLessThanOrEqual(2_000_000)
  expect(Math.min(...bytes.slice(0, -1), Infinity)).toBeGreaterThan(1_900_000)
})

it('splits no sums into no parts', () => {
  expect(splitSums([])).toEqual([])
})

it('fills a part to the last byte that D1 takes', () => {
  const bytesOf = (...sums: Sum[]) =>
    new TextEncoder().encode(String(addSums(sums).values[0])).length
  const rest = 2_000_000 - bytesOf(NOON, { ...NOON, caller: '' })
  const whole = { ...NOON, caller: 'x'.repeat(Math.floor(rest / 2)) }
  expect(bytesOf(NOON, whole)).toBeLessThanOrEqual(2_000_000)
  expect(splitSums([NOON, whole])).toHaveLength(1)
  const over = { ...NOON, caller: 'x'.repeat(Math.floor(rest / 2) + 1) }
  expect(splitSums([NOON, over])).toHaveLength(2)
})

it.for<[name: 'the same' | 'another', what: string, changes: Partial<Sum>]>([
  ['the same', 'hour', { hours: { 13: [9, 9, '00:00.000', '59:59.999'] } }],
  ['the same', 'day', { day: '2026-11-26' }],
  ['another', 'slot', { provider: 'acme' }],
  ['another', 'caller', { caller: 'binding:batch' }],
  ['another', 'kind of caller', { caller: 'relay:chat' }],
  ['another', 'caller (none)', { caller: null }],
  ['another', 'kind', { event: 'unreadable' }],
  ['another', 'code', { code: 'api_key_paused' }],
])('gives a sum %s name if its %s differs', ([name, , changes]) => {
  expect(nameSum({ ...NOON, ...changes }) === nameSum(NOON)).toBe(name === 'the same')
})

/** Asks for the paused key of a user in an isolate, and waits until that is counted. */
async function askFor(userId: string, isolate: Env) {
  const work: Promise<void>[] = []
  const by = { kind: 'caller', name: 'binding:chat' } as const
  const waitUntil = (promise: Promise<void>) => void work.push(promise)
  const owner = await ownerOf(userId, isolate)
  const taken = takeKey({ ...owner, by, waitUntil }, slotOf(owner, 'openai'))
  await expect(taken).rejects.toMatchObject({ code: 'api_key_paused' })
  await Promise.all(work)
}

/** Reads the trail in pages of one event. */
async function idsOf(userId: string) {
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

it.for<[name: string, behind: string, ahead: string, hours: string[]]>([
  ['in one hour', '2027-02-28T23:10:00.000Z', '2027-02-28T23:50:00.000Z', ['2027-02-28T23']],
  [
    'around midnight',
    '2028-02-28T23:59:59.999Z',
    '2028-02-29T00:00:00.000Z',
    ['2028-02-28T23', '2028-02-29T00'],
  ],
])('counts each refusal once if the clocks of two isolates differ %s', async ([, ...given]) => {
  const [behind, ahead, hours] = given
  vi.useFakeTimers({ toFake: ['Date'] })
  const userId = await someKeyUser(someKey())
  await setLimits(await ownerOf(userId), 'openai', { isPaused: true, condition: null })
  for (const time of [ahead, behind]) {
    vi.setSystemTime(time)
    // oxlint-disable-next-line no-await-in-loop -- the clock is the same for all
    await askFor(userId, { ...env })
  }
  const { events: rows } = await listEvents(await ownerOf(userId), { limit: 50 })
  const sums = rows.filter(({ event }) => event === 'use_refused')
  expect(sums.reduce((total, { count }) => total + count, 0)).toBe(2)
  expect(sums.map(({ id }) => id.slice(0, 13)).toSorted()).toEqual(hours)
  const times = (name: 'firstAt' | 'lastAt') => sums.map((row) => row[name] ?? '').toSorted()
  expect([times('firstAt')[0], times('lastAt').at(-1)]).toEqual([behind, ahead])
  expect(await idsOf(userId)).toEqual(rows.map(({ id }) => id))
})
