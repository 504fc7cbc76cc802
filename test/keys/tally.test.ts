/** An isolate keeps what it has counted until it is written. */

import { expect, it } from 'vitest'
import { MAX_BYTES, Tally } from '../../src/keys/tally.ts'
import type { Hours, Sum } from '../../src/store/noted-events.ts'

const MINUTE_MS = 60_000
const MIDNIGHT = Date.parse('2026-11-26T00:00:00.000Z')

const once = (minute: string) => [1, 0, minute, minute] satisfies Hours[string]

/** Uses of a key by a caller, on 26 November. */
function someSum(changes: Partial<Sum> = {}): Sum {
  return {
    userId: 'user',
    userIdentity: 'identity',
    provider: 'openai',
    event: 'used',
    caller: 'binding:chat',
    member: null,
    code: null,
    day: '2026-11-26',
    hours: { '00': once('10:00.000') },
    ...changes,
  }
}

it('adds counts up by the hour, in whichever order they come', () => {
  const tally = new Tally()
  tally.keep(someSum({ hours: { '00': [2, 1, '10:00.000', '20:00.000'] } }), MIDNIGHT)
  tally.keep(someSum({ hours: { '00': [3, 0, '05:00.000', '15:00.000'] } }), MIDNIGHT)
  tally.keep(someSum({ hours: { '01': once('00:00.000') } }), MIDNIGHT)
  expect(tally.takeAll()).toEqual([
    someSum({ hours: { '00': [5, 1, '05:00.000', '20:00.000'], '01': once('00:00.000') } }),
  ])
  expect([tally.isEmpty, tally.takeAll()]).toEqual([true, []])
})

it.for<[what: string, changes: Partial<Sum>]>([
  ['another caller', { caller: 'binding:batch' }],
  ['another slot', { provider: 'openai:work' }],
  ['another kind', { event: 'unreadable' }],
  ['another day', { day: '2026-11-27' }],
  ['a member', { member: 'member' }],
  ['a user who was added again', { userIdentity: 'new' }],
])('keeps the counts of %s apart', ([, changes]) => {
  const tally = new Tally()
  const sums = [someSum(), someSum(changes)]
  for (const sum of sums) tally.keep(sum, MIDNIGHT)
  expect(tally.takeAll()).toEqual(sums)
})

it('knows which count is the first one of its hour', () => {
  const tally = new Tally()
  const begins = (at: string, changes: Partial<Sum> = {}) =>
    tally.beginsHour(someSum(changes), `2026-11-${at}:00.000Z`)
  expect([begins('26T12:00'), begins('26T12:59'), begins('26T13:00')]).toEqual([true, false, true])
  expect(begins('26T13:01', { caller: null })).toBe(true)
  expect([begins('27T13:00'), begins('27T13:01')]).toEqual([true, false])
})

it('takes what waits for a caller of today and of yesterday', () => {
  const tally = new Tally()
  const [yesterday, other] = [someSum({ day: '2026-11-25' }), someSum({ caller: 'binding:batch' })]
  for (const sum of [yesterday, someSum(), other]) tally.keep(sum, MIDNIGHT)
  expect(tally.takeSame(someSum(), MIDNIGHT)).toEqual([someSum(), yesterday])
  expect(tally.takeAll()).toEqual([other])
})

it('takes what has waited since a time', () => {
  const tally = new Tally()
  const later = someSum({ caller: 'binding:batch' })
  tally.keep(someSum(), MIDNIGHT)
  tally.keep(later, MIDNIGHT + 1)
  tally.keep(someSum(), MIDNIGHT + MINUTE_MS)
  expect(tally.takeSince(MIDNIGHT)).toEqual([
    someSum({ hours: { '00': [2, 0, '10:00.000', '10:00.000'] } }),
  ])
  expect(tally.takeAll()).toEqual([later])
})

it('takes a sum of which as much waits as is written of its day', () => {
  const tally = new Tally()
  const takenAfter = (uses: number) => {
    tally.keep(someSum({ hours: { '12': [uses, 0, '00:00.000', '00:00.000'] } }), MIDNIGHT)
    const taken = tally.takeHalves()
    for (const sum of taken) tally.noteWritten(sum)
    return taken.length
  }
  tally.beginsHour(someSum(), '2026-11-26T12:00:00.000Z')
  expect([1, 1, 1, 1, 4].map(takenAfter)).toEqual([1, 1, 0, 1, 1])
  tally.beginsHour(someSum(), '2026-11-26T13:00:00.000Z')
  expect([7, 1].map(takenAfter)).toEqual([0, 1])
  tally.beginsHour(someSum(), '2026-11-27T13:00:00.000Z')
  expect(takenAfter(1)).toBe(1)
})

it('counts what is written of yesterday for no sum of today', () => {
  const tally = new Tally()
  tally.beginsHour(someSum(), '2026-11-26T00:10:00.000Z')
  tally.noteWritten(someSum({ day: '2026-11-25', hours: { '23': [9, 0, '', ''] } }))
  tally.keep(someSum(), MIDNIGHT)
  expect(tally.takeHalves()).toEqual([someSum()])
})

it('counts what has no room, which was counted longest ago', () => {
  const tally = new Tally()
  const userId = 'x'.repeat(100_000)
  const most = Math.floor(MAX_BYTES / 202_000)
  for (let index = 0; index < most + 10; index += 1) {
    tally.keep(someSum({ userId, caller: `${index}`, hours: { '00': [2, 0, '', ''] } }), MIDNIGHT)
    expect(tally.isFull).toBe(index >= Math.floor(most / 2))
  }
  const kept = tally.takeAll()
  expect(kept.at(-1)?.caller).toBe(`${most + 9}`)
  expect([tally.takeLost(), tally.takeLost()]).toEqual([2 * (most + 10 - kept.length), 0])
})
