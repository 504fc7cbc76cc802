import { describe, expect, it } from 'vitest'
import { chooseAction, listActions, type Action } from '../../../src/page/element/key-actions.ts'
import { describeStatus } from '../../../src/page/element/key-status.ts'
import type { ShownKey, ShownSlot } from '../../../src/page/element/slot.ts'
import {
  daysAfterNoon,
  english,
  goneSlot,
  labelled,
  plainSlot,
  setClock,
  someKey,
  someSlot,
} from './shown.ts'

const groq = someSlot({ name: 'groq', provider: 'Groq' })

/** What a user can do with the key in the slot, who can save keys of OpenAI and Groq. */
const listFor = (slot: ShownSlot, others: readonly ShownSlot[] = [groq]) =>
  listActions(slot, { slots: [slot, ...others], offered: [groq, someSlot()] })

const withKey = (changes: Partial<ShownKey>) => someSlot({ key: someKey(changes) })

/** What a user can do with each key that can be read. */
const ALWAYS = ['limits', 'activity', 'delete'] as const

const EXPIRED = { expiresAt: daysAfterNoon(-1) }
const EXHAUSTED = { exhaustedAt: daysAfterNoon(-1) }

describe('the actions of a key', () => {
  it.for<[what: string, slot: ShownSlot, actions: Action[]]>([
    ['accepted', withKey({}), ['test', 'replace', 'pause', ...ALWAYS]],
    ['rejected', withKey({ status: 'rejected' }), ['test', 'replace', 'pause', ...ALWAYS]],
    ['paused', withKey({ isPaused: true }), ['replace', 'resume', ...ALWAYS]],
    ['expired', withKey(EXPIRED), ['replace', 'pause', ...ALWAYS]],
    ['out of credit', withKey(EXHAUSTED), ['addCredit', 'test', 'replace', 'pause', ...ALWAYS]],
    [
      'out of credit at nobody knows where',
      { ...withKey(EXHAUSTED), billingPage: null },
      ['test', 'replace', 'pause', ...ALWAYS],
    ],
    ['unreadable', someSlot({ key: 'unreadable' }), ['replace', 'activity', 'delete']],
    ['unavailable', someSlot({ key: 'unavailable' }), ['activity', 'delete']],
    ['of a removed provider', goneSlot(), ['activity', 'delete']],
    [
      'of a removed provider, paused',
      goneSlot(someKey({ isPaused: true })),
      ['activity', 'delete'],
    ],
    ['of the plain route', plainSlot(someKey()), ['setProvider', 'replace', 'pause', ...ALWAYS]],
    ['of the plain route, unreadable', plainSlot('unreadable'), ['replace', 'activity', 'delete']],
  ])('lists what can be done with a key that is %s: %j', ([, slot, actions]) => {
    setClock()
    expect(listFor(slot)).toEqual(actions)
  })

  it.for<[named: boolean, what: string, slot: ShownSlot, others: readonly ShownSlot[]]>([
    [false, 'it is the only one of its provider', withKey({}), [groq]],
    [false, 'the others of its provider have no key', withKey({}), [labelled('work', null)]],
    [true, 'there is another one of its provider', withKey({}), [labelled('work')]],
    [true, 'it has a name', labelled('work'), []],
    [false, 'it cannot be read', labelled('work', 'unreadable'), [withKey({})]],
    [false, 'its provider was removed', { ...goneSlot(), label: 'work' }, []],
  ])('offers a name and an order, %s: %s', ([named, , slot, others]) => {
    expect(listFor(slot, others).includes('name')).toBe(named)
  })

  it('offers no provider if each has a key', () => {
    const full = [withKey({}), { ...groq, key: someKey() }]
    const actions = listActions(plainSlot(someKey()), { slots: full, offered: full })
    expect(actions).not.toContain('setProvider')
  })
})

describe('the action of a row', () => {
  it.for<[action: Action | undefined, what: string, slot: ShownSlot]>([
    ['test', 'accepted', withKey({})],
    ['test', 'unverified', withKey({ status: 'unverified' })],
    ['replace', 'rejected', withKey({ status: 'rejected' })],
    ['replace', 'expired', withKey(EXPIRED)],
    ['replace', 'that expires soon', withKey({ expiresAt: daysAfterNoon(2) })],
    ['limits', 'of a reached limit', withKey({ maxUses: { count: 1, per: 'day', used: 1 } })],
    ['addCredit', 'out of credit', withKey(EXHAUSTED)],
    ['test', 'out of credit at nobody knows where', { ...withKey(EXHAUSTED), billingPage: null }],
    ['resume', 'paused', withKey({ isPaused: true })],
    ['replace', 'paused and rejected', withKey({ isPaused: true, status: 'rejected' })],
    ['replace', 'paused that has expired', withKey({ isPaused: true, ...EXPIRED })],
    ['addCredit', 'paused, out of credit', withKey({ isPaused: true, ...EXHAUSTED })],
    ['replace', 'unreadable', someSlot({ key: 'unreadable' })],
    [undefined, 'unavailable', someSlot({ key: 'unavailable' })],
    ['delete', 'of a removed provider', goneSlot()],
    ['setProvider', 'of the plain route', plainSlot(someKey())],
    ['resume', 'of the plain route, paused', plainSlot(someKey({ isPaused: true }))],
    ['replace', 'of the plain route, expired', plainSlot(someKey(EXPIRED))],
  ])('the row has %s for a key that is %s', ([action, , slot]) => {
    setClock()
    const asked = describeStatus(slot, english).flatMap(({ asksFor }) => asksFor ?? [])
    expect(chooseAction(listFor(slot), asked)).toBe(action)
  })

  it('a key of the plain route that cannot move is replaced', () => {
    expect(chooseAction(['replace', 'pause', 'activity', 'delete'], [])).toBe('replace')
  })
})
