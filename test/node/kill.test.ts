/** The short form of `npm run kill`. */

import { describe, expect, it } from 'vitest'
import { killRepeatedly } from '../../scripts/kill/rounds.ts'
import { findLosses, type Shown, type Slot } from '../../scripts/kill/slot.ts'

it('a vault that is killed loses no acknowledged change', async () => {
  const { kills, acknowledged, jobs, wrong } = await killRepeatedly(3, 1)
  expect({ kills, wrong }).toEqual({ kills: 3, wrong: [] })
  expect(acknowledged).toBeGreaterThanOrEqual(3)
  expect(jobs).toBeGreaterThan(0)
})

const key = { preview: '00000001...', version: '"1"' }
const saved = { event: 'saved', request_id: 'a' }
const deletion = { requestId: 'b', preview: null }
const slotOf = (pending: Slot['pending']): Slot => ({
  userId: 'ann',
  provider: 'openai',
  key,
  events: new Map([['a', 'saved']]),
  pending,
})

describe('the kill test', () => {
  it.for<[title: string, pending: Slot['pending'], shown: Shown]>([
    ['the acknowledged key', null, { key, events: [saved] }],
    ['a deletion that was not made', deletion, { key, events: [saved] }],
    [
      'a deletion that was made',
      deletion,
      { key: null, events: [saved, { event: 'deleted', request_id: 'b' }] },
    ],
  ])('accepts %s', ([, pending, shown]) => {
    expect(findLosses(slotOf(pending), shown)).toEqual([])
  })

  it.for<[title: string, pending: Slot['pending'], shown: Shown]>([
    ['a lost key', null, { key: null, events: [saved] }],
    ['a key that does not open', null, { key: { ...key, preview: 'null' }, events: [saved] }],
    ['another version', null, { key: { ...key, version: '"0"' }, events: [saved] }],
    ['a lost event', null, { key, events: [] }],
    ['an event without its change', null, { key, events: [saved, { event: 'deleted' }] }],
    ['a deletion without its event', deletion, { key: null, events: [saved] }],
    [
      'the event of a deletion that was not made',
      deletion,
      { key, events: [saved, { event: 'deleted', request_id: 'b' }] },
    ],
  ])('notices %s', ([, pending, shown]) => {
    expect(findLosses(slotOf(pending), shown)).toHaveLength(1)
  })
})
