/** The short form of `npm run kill`. */

import { describe, expect, it } from 'vitest'
import { killRepeatedly } from '../../scripts/kill/rounds.ts'
import { findImportLosses } from '../../scripts/kill/imports.ts'
import {
  findForgotten,
  findLosses,
  noteMade,
  type Shown,
  type Slot,
} from '../../scripts/kill/slot.ts'

it('a vault that is killed loses no acknowledged change', async () => {
  const { kills, acknowledged, imports, jobs, wrong } = await killRepeatedly(3, 1)
  expect({ kills, wrong }).toEqual({ kills: 3, wrong: [] })
  expect(acknowledged).toBeGreaterThanOrEqual(3)
  expect(imports).toBeGreaterThan(0)
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
  gone: new Set(),
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

  it('notices that no store has a key that was replaced or deleted', () => {
    const slot = slotOf(null)
    noteMade(slot, { requestId: 'b', preview: '00000002...' }, '"2"')
    noteMade(slot, { requestId: 'c', preview: null }, '')
    const [replaced, deleted] = ['ann/openai 1', 'ann/openai 2']
    expect(findForgotten(slot, new Set([replaced, deleted]))).toEqual([])
    expect(findForgotten(slot, new Set([replaced]))).toHaveLength(1)
    expect(findForgotten(slot, new Set([deleted]))).toHaveLength(1)
  })

  const rows = (...tables: string[]) => tables.map((table): [string, string] => ['import-1', table])
  const WHOLE = ['users', 'api_keys', 'imported_keys', 'imported']

  it.for<[title: string, acknowledged: boolean, tables: string[], faults: number]>([
    ['accepts a whole import', true, WHOLE, 0],
    ['accepts an import that was cut off and not made', false, [], 0],
    ['accepts an import that was cut off and made', false, WHOLE, 0],
    ['notices an import that was lost', true, [], 1],
    ['notices an import without its event', true, WHOLE.slice(0, 3), 1],
    ['notices an import that was half made', false, ['users'], 1],
    ['notices an import with two events', true, [...WHOLE, 'imported'], 1],
  ])('%s', ([, isAcknowledged, tables, faults]) => {
    const users = ['import-1']
    const imports = isAcknowledged
      ? { acknowledged: [users], pending: null }
      : { acknowledged: [], pending: users }
    expect(findImportLosses(imports, { imported: rows(...tables) })).toHaveLength(faults)
  })
})
