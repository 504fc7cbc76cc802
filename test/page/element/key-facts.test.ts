import { expect, it } from 'vitest'
import { renderKeyFacts, renderUse } from '../../../src/page/element/key-facts.ts'
import type { ShownSlot } from '../../../src/page/element/slot.ts'
import { textsOf, textOf } from './markup.ts'
import {
  daysAfterNoon,
  english,
  goneSlot,
  plainSlot,
  setClock,
  someKey,
  someSlot,
  translated,
} from './shown.ts'

const facts = (slot: ShownSlot) => renderKeyFacts(slot, english)

it.for([null, 'unreadable', 'unavailable'] as const)('says nothing of a key that is %s', (key) => {
  const slot = someSlot({ key })
  expect([textOf(facts(slot)), textOf(renderUse(slot, english))]).toEqual(['', ''])
})

it('shows the base URL, the times and the limits of a key', () => {
  setClock()
  const key = someKey({
    savedAt: '2026-06-03T14:05:00.000Z',
    usedAt: '2026-06-10T09:00:00.000Z',
    testedAt: '2026-06-04T08:30:00.000Z',
    expiresAt: '2027-06-14T12:00:00.000Z',
    baseUrl: 'https://own.test/v1',
    maxUses: { count: 5, per: 'day', used: 1 },
    callers: ['binding:batch'],
  })
  const shown = facts(someSlot({ key }))
  expect(textOf(shown)).toContain('https://own.test/v1')
  expect(textsOf(shown, 'time')).toEqual([
    'Saved 3 Jun 2026, 14:05',
    'Last tested 4 Jun 2026, 08:30',
    'Expires 14 Jun 2027',
  ])
  expect(textsOf(shown, 'span')).toEqual(['1 of 5 uses today', 'Only batch'])
})

it('shows when a key was last used, apart from its facts', () => {
  setClock()
  const slot = someSlot({ key: someKey({ usedAt: '2026-06-10T09:00:00.000Z' }) })
  expect(textsOf(renderUse(slot, english), 'time')).toEqual(['Last used 10 Jun 2026'])
  expect(textOf(facts(slot))).not.toContain('used')
})

it('says that a key was never used, unless its uses are not recorded', () => {
  setClock()
  expect(textOf(renderUse(someSlot({ key: someKey() }), english))).toBe('Never used')
  const used = someKey({ usedAt: '2026-06-10T09:00:00.000Z' })
  expect(textOf(renderUse(plainSlot(used), english))).toBe('')
})

it('does not show the day on which a key has expired: the status says it', () => {
  setClock()
  const key = someKey({ expiresAt: daysAfterNoon(-1) })
  expect(textsOf(facts(someSlot({ key })), 'time')).toEqual(['Saved 14 Jun 2026, 12:00'])
})

it('does not show when a key expires that can only be deleted: a past day', () => {
  setClock()
  const gone = goneSlot(someKey({ expiresAt: daysAfterNoon(-1) }))
  expect(textsOf(facts(gone), 'time')).toEqual(['Saved 14 Jun 2026, 12:00'])
})

it.for([
  ['de', 'Läuft am 16.06.2026 ab'],
  ['fr', 'Expire le 16 juin 2026'],
  ['es', 'Caduca el 16 jun 2026'],
  ['ja', '有効期限：2026/06/16'],
  ['zh-Hans', '到期时间：2026年6月16日'],
] as const)('says in %s when a key expires: %s', ([name, text]) => {
  setClock()
  const slot = someSlot({ key: someKey({ expiresAt: daysAfterNoon(1) }) })
  expect(textsOf(renderKeyFacts(slot, translated(name)), 'time')).toContain(text)
})

it('says that the operator saved a key, for as long as it is that key', () => {
  setClock()
  const said = 'The operator of this application saved this key for you.'
  expect(textOf(facts(someSlot({ key: someKey({ isFromOperator: true }) })))).toContain(said)
  expect(textOf(facts(someSlot({ key: someKey() })))).not.toContain('operator')
})

it('ends with the hint that a key may not be needed', () => {
  setClock()
  const shown = facts(someSlot({ key: someKey({ savedAt: daysAfterNoon(-91) }) }))
  expect(textOf(shown)).toMatch(/Not used for 90 days\. Delete it if you don’t need it\.$/)
})
