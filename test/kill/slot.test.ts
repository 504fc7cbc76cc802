/** What `npm run kill` accepts and notices after a kill. */

import { describe, expect, it } from 'vitest'
import { findImportLosses } from './imports.ts'
import { NO_LIMITS, patchOf, readLimits } from './limits.ts'
import { findForgotten, findLosses, noteMade, type Shown, type Slot } from './slot.ts'

const key = { preview: '00000001...', tag: '"a.1"', limits: NO_LIMITS }
const paused = { ...key, tag: '"a.2"', limits: { ...NO_LIMITS, paused: true } }
const saved = { event: 'saved', request_id: 'a' }
const deletion: Slot['pending'] = { requestId: 'b', method: 'DELETE' }
const pause: Slot['pending'] = { requestId: 'b', method: 'PATCH', limits: { paused: true } }
const pausing = { event: 'paused', request_id: 'b' }
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
    ['a pause that was not made', pause, { key, events: [saved] }],
    ['a pause that was made', pause, { key: paused, events: [saved, pausing] }],
  ])('the kill test accepts %s', ([, pending, shown]) => {
    expect(findLosses(slotOf(pending), shown)).toEqual([])
  })

  it.for<[title: string, pending: Slot['pending'], shown: Shown]>([
    ['a lost key', null, { key: null, events: [saved] }],
    ['another key', null, { key: { ...key, preview: '00000002...' }, events: [saved] }],
    ['other limits', null, { key: paused, events: [saved] }],
    ['another identity', null, { key: { ...key, tag: '"b.1"' }, events: [saved] }],
    ['another revision', null, { key: { ...key, tag: '"a.2"' }, events: [saved] }],
    ['a lost event', null, { key, events: [] }],
    ['an event without its change', null, { key, events: [saved, { event: 'deleted' }] }],
    ['a deletion without its event', deletion, { key: null, events: [saved] }],
    [
      'the event of a deletion that was not made',
      deletion,
      { key, events: [saved, { event: 'deleted', request_id: 'b' }] },
    ],
    ['a pause without its event', pause, { key: paused, events: [saved] }],
    ['the event of a pause that was not made', pause, { key, events: [saved, pausing] }],
    ['a pause with two events', pause, { key: paused, events: [saved, pausing, pausing] }],
  ])('the kill test notices %s', ([, pending, shown]) => {
    expect(findLosses(slotOf(pending), shown)).toHaveLength(1)
  })

  it('the kill test names the team of a slot that has lost its key', () => {
    const slot = { ...slotOf(null), team: 'acme', provider: 'openai:work' }
    const [sentence = ''] = findLosses(slot, { key: null, events: [saved] })
    expect(sentence).toMatch(/^team acme\/openai:work shows no key, not /)
  })

  it('the kill test notices that no store has a key that was replaced or deleted', () => {
    const slot = slotOf(null)
    noteMade(slot, { requestId: 'b', method: 'PUT', preview: '00000002...' }, '"b.2"')
    noteMade(slot, { requestId: 'c', method: 'DELETE' }, '')
    const [replaced, deleted] = ['a', 'b']
    expect(findForgotten(slot, new Set([replaced, deleted]))).toEqual([])
    expect(findForgotten(slot, new Set([replaced]))).toHaveLength(1)
    expect(findForgotten(slot, new Set([deleted]))).toHaveLength(1)
  })

  it('the kill test knows which limits stay when a key is saved over another one', () => {
    const slot = slotOf(null)
    const set = { paused: true, expires_at: '2100-01-01T00:00:00.000Z' }
    noteMade(slot, { requestId: 'b', method: 'PATCH', limits: set }, '"a.2"')
    noteMade(slot, { requestId: 'c', method: 'PUT', preview: '00000002...' }, '"b.3"')
    expect(slot.key?.limits).toEqual({ ...NO_LIMITS, paused: true })
    noteMade(slot, { requestId: 'd', method: 'DELETE' }, '')
    noteMade(slot, { requestId: 'e', method: 'PUT', preview: '00000003...' }, '"c.1"')
    expect(slot.key?.limits).toEqual(NO_LIMITS)
  })

  it('the kill test expects no event of a PATCH that changes nothing', () => {
    const slot = slotOf({ requestId: 'b', method: 'PATCH', limits: { expires_at: null } })
    expect(findLosses(slot, { key, events: [saved] })).toEqual([])
    noteMade(slot, { requestId: 'c', method: 'PATCH', limits: { expires_at: null } }, key.tag)
    expect(findLosses(slot, { key, events: [saved] })).toEqual([])
    expect(findLosses(slot, { key, events: [saved, { event: 'limits_changed' }] })).toHaveLength(1)
  })

  it.for<[kind: string, number: number, patch: object]>([
    ['removes the maximum', 0.1, { max_uses: null }],
    ['sets a maximum', 0.3, { max_uses: { count: expect.any(Number), per: 'day' } }],
    ['removes the expiry', 0.5, { expires_at: null }],
    ['sets an expiry', 0.7, { expires_at: expect.stringMatching(/^21\d\d-.*Z$/) }],
    ['pauses', 0.9, { paused: true }],
  ])('the kill test sends a PATCH that %s', ([, number, patch]) => {
    expect(patchOf(number, NO_LIMITS)).toEqual(patch)
  })

  it('the kill test sends a PATCH that resumes a paused key', () => {
    expect(patchOf(0.9, paused.limits)).toEqual({ paused: false })
  })

  it('the kill test reads the limits that the vault shows', () => {
    const shown = {
      paused_at: '2026-11-25T12:00:00.000Z',
      max_uses: { count: 1, per: 'day', used: 7 },
      expires_at: '2100-01-01T00:00:00.000Z',
    } as const
    const { paused_at: at, expires_at, max_uses } = shown
    expect(readLimits({ max_uses })).toEqual({ ...NO_LIMITS, max_uses: { count: 1, per: 'day' } })
    expect(readLimits({ paused_at: at, expires_at })).toEqual({ ...paused.limits, expires_at })
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
  ])('the kill test %s', ([, isAcknowledged, tables, faults]) => {
    const users = ['import-1']
    const imports = isAcknowledged
      ? { acknowledged: [users], pending: null }
      : { acknowledged: [], pending: users }
    expect(findImportLosses(imports, { imported: rows(...tables) })).toHaveLength(faults)
  })
})
