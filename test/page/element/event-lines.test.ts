/** The lines of the list of events, by the days of readers in several time zones. */

import { describe, expect, it } from 'vitest'
import { sumUp } from '../../../src/page/element/event-lines.ts'
import type { EventAnswer } from '../../../src/shared/answers.ts'
import { english, setClock } from './shown.ts'

const LORD_HOWE = 'Australia/Lord_Howe'
const KATHMANDU = 'Asia/Kathmandu'
const KIRITIMATI = 'Pacific/Kiritimati'
const BERLIN = 'Europe/Berlin'

/** What an owner did at `at`. */
function change(at: string, event: EventAnswer['event'] = 'replaced'): EventAnswer {
  return { id: `${at}.1000`, provider: 'openai', event, by: 'owner', at }
}

/** The sum of an hour. Its id is the end of the hour. */
function sum(last: string, more: Partial<EventAnswer> = {}): EventAnswer {
  const hour = last.slice(0, '2026-06-15T10'.length)
  const id = `${hour}:59:59.999Z.1000`
  const times = { at: `${hour}:00:00.000Z`, last_at: last }
  return { id, provider: 'openai', event: 'used', by: 'caller', ...times, ...more }
}

/** The events as the service lists them: the newest first. */
const list = (...events: EventAnswer[]) =>
  events.toSorted((one, other) => other.id.localeCompare(one.id))

const summaries = (events: EventAnswer[], isWhole = true) =>
  sumUp(events, isWhole).map(({ event, time, count, errors }) =>
    [event.caller ?? event.event, time.slice(5, 16), count, errors].join(' '),
  )

it('no events are no lines', () => {
  expect(sumUp([], true)).toEqual([])
  expect(sumUp([], false)).toEqual([])
})

it('adds up what the same caller did on the same day, and begins with what happened last', () => {
  setClock()
  const events = list(
    sum('2026-06-15T09:10:00.000Z', { caller: 'binding:chat', count: 30 }),
    sum('2026-06-15T11:10:00.000Z', { caller: 'binding:chat', count: 11, errors: 2 }),
    sum('2026-06-15T11:30:00.000Z', { caller: 'binding:batch' }),
    sum('2026-06-14T23:10:00.000Z', { caller: 'binding:chat', count: 5 }),
    change('2026-06-15T11:20:00.000Z'),
    change('2026-06-15T08:00:00.000Z'),
  )
  expect(summaries(events)).toEqual([
    'binding:batch 06-15T11:30 1 0',
    'replaced 06-15T11:20 1 0',
    'binding:chat 06-15T11:10 41 2',
    'replaced 06-15T08:00 1 0',
    'binding:chat 06-14T23:10 5 0',
  ])
})

it('uses of another key, and those for another member of a team, are not added up', () => {
  setClock()
  const uses = [
    sum('2026-06-15T11:10:00.000Z', { member: 'user-1', count: 3 }),
    sum('2026-06-15T10:10:00.000Z', { member: 'user-2', count: 5 }),
    sum('2026-06-15T09:10:00.000Z', { provider: 'openai:work', member: 'user-2', count: 7 }),
    sum('2026-06-15T08:10:00.000Z', { member: 'user-1', count: 11 }),
  ]
  const lines = sumUp(list(...uses), true)
  expect(lines.map(({ event: { member, provider }, count }) => [member, provider, count])).toEqual([
    ['user-1', 'openai', 14],
    ['user-2', 'openai', 5],
    ['user-2', 'openai:work', 7],
  ])
})

it('a look at all slots is added up with those at the slot', () => {
  setClock()
  const look = { ...change('2026-06-15T11:10:00.000Z', 'viewed'), by: 'operator' as const }
  const lines = sumUp(list(look, { ...look, provider: '*' }), true)
  expect(lines.map(({ count }) => count)).toEqual([2])
})

it('changes of an owner are not added up, although they are of the same kind and day', () => {
  const times = ['2026-06-15T10:00:00.000Z', '2026-06-15T10:00:00.001Z']
  const events = times.map((time) => change(time, 'paused')).toReversed()
  expect(sumUp(events, true).map(({ time }) => time)).toEqual(times.toReversed())
})

it.for(['revealed', 'viewed'] as const)('adds up each time that a caller has %s', (event) => {
  const times = ['2026-06-15T10:00:00.000Z', '2026-06-15T10:00:00.001Z']
  const looks = times
    .map((time) => Object.assign(change(time, event), { caller: 'binding:desk' }))
    .toReversed()
  expect(summaries(looks)).toEqual(['binding:desk 06-15T10:00 2 0'])
})

it.for<[what: string, more: Partial<EventAnswer>]>([
  ['caller', { caller: 'binding:batch' }],
  ['caller of another kind', { caller: 'relay:chat' }],
  ['unnamed caller', {}],
  ['kind', { caller: 'binding:chat', event: 'unreadable' }],
  ['reason', { caller: 'binding:chat', event: 'use_refused', code: 'api_key_paused' }],
])('sums of another %s are another line', ([, more]) => {
  const refused = {
    caller: 'binding:chat',
    event: 'use_refused',
    code: 'caller_not_allowed',
  } as const
  const [early, late] = ['2026-06-15T09:10:00.000Z', '2026-06-15T10:10:00.000Z']
  const first = more.event === 'use_refused' ? refused : { caller: 'binding:chat' }
  expect(sumUp([sum(late, more), sum(early, first)], true)).toHaveLength(2)
  expect(sumUp([sum(late, first), sum(early, first)], true)).toHaveLength(1)
})

describe('order', () => {
  it.for<[what: string, zone: string, times: string[], shown: string[]]>([
    [
      'an hour that comes twice',
      BERLIN,
      ['2026-10-25T00:30:00.000Z', '2026-10-25T01:15:00.000Z', '2026-10-25T01:30:00.000Z'],
      ['25 Oct 2026, 02:30', '25 Oct 2026, 02:15', '25 Oct 2026, 02:30'],
    ],
    [
      'an hour that is skipped',
      BERLIN,
      ['2026-03-29T00:59:59.999Z', '2026-03-29T01:00:00.000Z'],
      ['29 Mar 2026, 03:00', '29 Mar 2026, 01:59'],
    ],
    [
      'half an hour that comes twice',
      LORD_HOWE,
      ['2026-04-04T14:45:00.000Z', '2026-04-04T15:15:00.000Z'],
      ['5 Apr 2026, 01:45', '5 Apr 2026, 01:45'],
    ],
    [
      'half an hour that is skipped',
      LORD_HOWE,
      ['2025-10-04T15:29:59.999Z', '2025-10-04T15:30:00.000Z'],
      ['5 Oct 2025, 02:30', '5 Oct 2025, 01:59'],
    ],
  ])('what happened later stands first in %s, %s', ([, zone, times, shown]) => {
    setClock(undefined, zone)
    const lines = sumUp(list(...times.map((time) => change(time))), true)
    expect(lines.map(({ time }) => time)).toEqual(times.toReversed())
    expect(lines.map(({ time }) => english.minute(time))).toEqual(shown)
  })
})

describe('days', () => {
  it.for<[what: string, zone: string, times: string[], counts: number[]]>([
    ['UTC', 'UTC', ['2026-06-14T14:10:00.000Z', '2026-06-14T16:10:00.000Z'], [2]],
    [
      'midnight in Tokyo between them',
      'Asia/Tokyo',
      ['2026-06-14T14:10:00.000Z', '2026-06-14T16:10:00.000Z'],
      [1, 1],
    ],
    [
      'a day of 25 hours',
      BERLIN,
      ['2026-10-24T21:59:00.000Z', '2026-10-24T22:00:00.000Z', '2026-10-25T22:59:00.000Z'],
      [2, 1],
    ],
    [
      'a day of 23 hours',
      BERLIN,
      ['2026-03-28T23:00:00.000Z', '2026-03-29T21:59:00.000Z', '2026-03-29T22:00:00.000Z'],
      [1, 2],
    ],
    [
      'a leap day',
      KATHMANDU,
      ['2028-02-28T17:14:00.000Z', '2028-02-28T18:15:00.000Z', '2028-02-29T17:00:00.000Z'],
      [2, 1],
    ],
    [
      'the first day of a year',
      KIRITIMATI,
      ['2026-12-30T10:00:00.000Z', '2026-12-31T09:59:00.000Z', '2026-12-31T10:00:00.000Z'],
      [1, 2],
    ],
  ])("adds up by the reader's days: %s in %s", ([, zone, times, counts]) => {
    setClock(undefined, zone)
    const lines = sumUp(list(...times.map((time) => sum(time))), true)
    expect(lines.map(({ count }) => count)).toEqual(counts)
  })
})

describe('while older events are missing', () => {
  const events = list(
    sum('2026-06-15T10:10:00.000Z', { count: 3 }),
    sum('2026-06-14T23:10:00.000Z', { count: 2 }),
    sum('2026-06-14T01:10:00.000Z', { count: 1 }),
    change('2026-06-14T12:00:00.000Z'),
  )

  it('leaves the day out that the missing events may belong to', () => {
    setClock()
    expect(summaries(events, false)).toEqual(['used 06-15T10:10 3 0'])
    expect(summaries(events, true)).toEqual([
      'used 06-15T10:10 3 0',
      'used 06-14T23:10 3 0',
      'replaced 06-14T12:00 1 0',
    ])
  })

  it('shows no sum that is too low where midnight is within an hour of UTC', () => {
    setClock(undefined, KATHMANDU)
    // Midnight is at 18:15 in UTC. The next page may begin with a sum of 18:40, of this hour.
    const oldest = sum('2026-06-14T18:05:00.000Z', { caller: 'binding:batch' })
    const today = sum('2026-06-15T09:10:00.000Z', { caller: 'binding:chat', count: 5 })
    expect(summaries([today, change('2026-06-14T19:00:00.000Z'), oldest], false)).toEqual([])
    const older = change('2026-06-14T17:30:00.000Z')
    expect(summaries([today, older], false)).toEqual(['binding:chat 06-15T09:10 5 0'])
  })
})
