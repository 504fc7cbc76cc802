import { expect, it } from 'vitest'
import type { Period } from '../../../src/page/element/days.ts'
import { describeLimits, findChanges, isCount } from '../../../src/page/element/limits.ts'
import type { KeyChanges } from '../../../src/page/element/vault-client.ts'
import { english, someKey, translated } from './shown.ts'

const limited = (used: number, per: Period, count = 1_000) =>
  someKey({ maxUses: { count, per, used } })

it.for([
  ['no limit at all', someKey(), []],
  ['some uses of a day', limited(41, 'day'), ['41 of 1,000 uses today']],
  ['some uses of a month', limited(41, 'month'), ['41 of 1,000 uses this month']],
  ['all uses of a day', limited(1_000, 'day'), ['1,000 of 1,000 uses today']],
  ['all uses of a month', limited(1_000, 'month'), ['1,000 of 1,000 uses this month']],
  [
    'two callers',
    someKey({ callers: ['binding:chat-worker', 'binding:batch'] }),
    ['Only chat-worker, batch'],
  ],
  [
    'a client of the relay beside a bound Worker of the same name',
    someKey({ callers: ['binding:chat', 'relay:chat'] }),
    ['Only chat, chat (via API)'],
  ],
  [
    'some uses of a member in a day',
    someKey({ maxUsesPerMember: { count: 1_000, per: 'day' } }),
    ['Daily limit per member: 1,000'],
  ],
  [
    'some uses of a member in a month',
    someKey({ maxUsesPerMember: { count: 2, per: 'month' } }),
    ['Monthly limit per member: 2'],
  ],
  ['no callers', someKey({ callers: [] }), ['No application may use it']],
  [
    'a limit and callers',
    someKey({ maxUses: { count: 1, per: 'day', used: 0 }, callers: ['binding:batch'] }),
    ['0 of 1 uses today', 'Only batch'],
  ],
] as const)('describes a key with %s', ([, key, texts]) => {
  expect(describeLimits(key, english)).toEqual(texts)
})

it('numbers of uses are said in the language', () => {
  const [text] = describeLimits(limited(1_041, 'day', 2_000), translated('de'))
  expect(text).toMatch(/1\.041.*2\.000/)
})

const KEY = someKey({
  callers: ['binding:chat-worker', 'binding:batch'],
  maxUses: { count: 5, per: 'day', used: 2 },
  expiresAt: '2027-06-14T12:00:00.000Z',
})
const KEPT = {
  callers: ['binding:chat-worker', 'binding:batch'],
  maxUses: { count: 5, per: 'day' as const },
  maxUsesPerMember: null,
  expiresAt: undefined,
}

it.for<[what: string, entered: Partial<Parameters<typeof findChanges>[1]>, KeyChanges]>([
  ['nothing', {}, {}],
  [
    'the number of uses',
    { maxUses: { count: 6, per: 'day' } },
    { max_uses: { count: 6, per: 'day' } },
  ],
  ['the period', { maxUses: { count: 5, per: 'month' } }, { max_uses: { count: 5, per: 'month' } }],
  ['uses without a limit', { maxUses: null }, { max_uses: null }],
  [
    'uses of a member',
    { maxUsesPerMember: { count: 2, per: 'day' } },
    { max_uses_per_member: { count: 2, per: 'day' } },
  ],
  ['one caller fewer', { callers: ['binding:batch'] }, { callers: ['binding:batch'] }],
  ['no callers', { callers: [] }, { callers: [] }],
  ['all callers', { callers: null }, { callers: null }],
  [
    'a later expiry',
    { expiresAt: '2026-07-15T12:00:00.000Z' },
    { expires_at: '2026-07-15T12:00:00.000Z' },
  ],
  ['no expiry', { expiresAt: null }, { expires_at: null }],
  [
    'no limit at all',
    { maxUses: null, callers: null, expiresAt: null },
    { max_uses: null, callers: null, expires_at: null },
  ],
])('finds the change of a limited key: %s', ([, entered, changes]) => {
  expect(findChanges(KEY, { ...KEPT, ...entered })).toEqual(changes)
})

it('finds what limits a key that had no limits', () => {
  const maxUses = { count: 100, per: 'day' } as const
  const none = { callers: null, maxUses: null, maxUsesPerMember: null, expiresAt: undefined }
  expect(findChanges(someKey(), none)).toEqual({})
  expect(findChanges(someKey(), { ...none, maxUses })).toEqual({ max_uses: maxUses })
  expect(findChanges(someKey(), { ...none, callers: [] })).toEqual({ callers: [] })
})

it.for([
  ['1', true],
  ['1000000', true],
  // The service knows the highest number.
  ['1e99', true],
  ['', false],
  ['0', false],
  ['1.5', false],
  ['-1', false],
  ['1e999', false],
  ['many', false],
] as const)('takes "%s" as a number of uses: %s', ([text, isIt]) => {
  expect(isCount(Number(text))).toBe(isIt)
})
