import { describe, expect, it } from 'vitest'
import {
  canBeChecked,
  describeDisuse,
  describeSame,
  describeSaved,
  describeStatus,
  describeTest,
  findLikelySlots,
  isOffered,
  nameSlot,
  putSlot,
  readableKey,
  usableKey,
  type ShownKey,
  type ShownSlot,
} from '../../../src/page/element/slot.ts'
import type { Period } from '../../../src/page/element/days.ts'
import type { Verdict } from '../../../src/shared/slot.ts'
import {
  DAY_MS,
  daysAfterNoon,
  english,
  goneSlot,
  NOON,
  plainSlot,
  setClock,
  someKey,
  someSlot,
  translated,
} from './shown.ts'

const groq = someSlot({ name: 'groq', label: 'Groq', keyPrefixes: ['gsk_'] })

const GONE = 'This provider is no longer offered. You can only delete the key.'
const AWAY = 'Temporarily unavailable. Your key is still stored; you don’t need to enter it again.'
const UNREADABLE = 'This key can no longer be read. Enter it again.'

it('a key that is not there, cannot be read or is unavailable is not readable', () => {
  const key = someKey()
  const keys = [key, null, 'unreadable', 'unavailable'] as const
  expect(keys.map((each) => readableKey(someSlot({ key: each })))).toEqual([key, null, null, null])
})

it.for([
  ['one that never expires', null, true],
  ['one that expires in a millisecond', '2026-06-15T12:00:00.001Z', true],
  ['one that expires now', NOON, false],
  ['one that has expired', '2026-06-14T12:00:00.000Z', false],
] as const)('a key is usable until it expires: %s', ([, expiresAt, isUsable]) => {
  setClock()
  const key = someKey({ expiresAt })
  expect(usableKey(someSlot({ key }))).toBe(isUsable ? key : null)
})

it.for([
  ['OpenAI', someSlot(), true],
  ['General', plainSlot(), true],
  ['gone', goneSlot(), false],
] as const)('the slot %s has a name, and takes a key only if it is offered', ([name, slot, is]) => {
  expect(nameSlot(slot, english.say)).toBe(name)
  expect(isOffered(slot)).toBe(is)
})

describe('the status of a key', () => {
  const PAUSED = { isPaused: true }
  const REACHED = { maxUses: { count: 2, per: 'day', used: 2 } } as const
  const EXPIRED = { expiresAt: daysAfterNoon(-1) }
  const SOON = { expiresAt: daysAfterNoon(2) }
  const REJECTED = { status: 'rejected' } as const
  const UNVERIFIED = { status: 'unverified' } as const
  const LIMIT = 'Limit reached. It can be used again from 16 Jun 2026, 00:00.'

  it.for<[what: string, changes: Partial<ShownKey>, tone: string, text: string]>([
    ['accepted', {}, 'ok', 'Accepted by OpenAI'],
    ['unverified', UNVERIFIED, 'none', 'Not confirmed yet'],
    ['rejected', REJECTED, 'bad', 'Rejected by OpenAI. Replace it.'],
    ['paused', PAUSED, 'warn', 'Paused. Applications cannot use it.'],
    ['of a reached limit', REACHED, 'warn', LIMIT],
    [
      'rejected that expires soon',
      { ...REJECTED, ...SOON },
      'bad',
      'Rejected by OpenAI. Replace it.',
    ],
    [
      'rejected that has expired',
      { ...REJECTED, ...EXPIRED },
      'bad',
      'Expired 14 Jun 2026. Replace it.',
    ],
    [
      'unverified that expires soon',
      { ...UNVERIFIED, ...SOON },
      'warn',
      'Expires in 2 days. Replace it.',
    ],
    [
      'unverified that expires in 20 days',
      { ...UNVERIFIED, expiresAt: daysAfterNoon(20) },
      'none',
      'Not confirmed yet',
    ],
    ['expired and paused', { ...PAUSED, ...EXPIRED }, 'bad', 'Expired 14 Jun 2026. Replace it.'],
    [
      'paused and rejected that expires soon',
      { ...PAUSED, ...REJECTED, ...SOON },
      'warn',
      'Paused. Applications cannot use it.',
    ],
    [
      'rejected, of a reached limit',
      { ...REACHED, ...REJECTED },
      'bad',
      'Rejected by OpenAI. Replace it.',
    ],
    ['of a reached limit that expires soon', { ...REACHED, ...SOON }, 'warn', LIMIT],
    ['unverified, of a reached limit', { ...REACHED, ...UNVERIFIED }, 'warn', LIMIT],
  ])('says what is most urgent for a key %s', ([, changes, tone, text]) => {
    setClock()
    const slot = someSlot({ key: someKey(changes) })
    expect(describeStatus(slot, english)).toEqual({ tone, text })
  })

  it.for<[text: string, slot: ShownSlot]>([
    [UNREADABLE, someSlot({ key: 'unreadable' })],
    [UNREADABLE, plainSlot('unreadable')],
    [AWAY, someSlot({ key: 'unavailable' })],
    [AWAY, plainSlot('unavailable')],
    [GONE, goneSlot(someKey(EXPIRED))],
    [GONE, goneSlot('unreadable')],
    [GONE, goneSlot('unavailable')],
  ])('says first that a key cannot be used at all: %s', ([text, slot]) => {
    setClock()
    expect(describeStatus(slot, english)?.text).toBe(text)
  })

  it.for<[what: string, changes: Partial<ShownKey>, text: string | undefined]>([
    ['usable', {}, undefined],
    ['unverified', UNVERIFIED, undefined],
    ['rejected', REJECTED, undefined],
    ['expired', EXPIRED, 'Expired 14 Jun 2026. Replace it.'],
    ['of a reached limit', REACHED, LIMIT],
    ['that expires soon', SOON, 'Expires in 2 days. Replace it.'],
    ['paused', PAUSED, 'Paused. Applications cannot use it.'],
  ])('says of a key without a provider only what is urgent: %s', ([, changes, text]) => {
    setClock()
    expect(describeStatus(plainSlot(someKey(changes)), english)?.text).toBe(text)
  })

  it.for([
    ['2026-06-15T12:01:00.000Z', 'warn', 'Expires today. Replace it.'],
    ['2026-06-15T23:59:00.000Z', 'warn', 'Expires today. Replace it.'],
    ['2026-06-16T00:01:00.000Z', 'warn', 'Expires tomorrow. Replace it.'],
    ['2026-06-18T00:01:00.000Z', 'warn', 'Expires in 3 days. Replace it.'],
    ['2026-06-29T12:00:00.000Z', 'warn', 'Expires in 14 days. Replace it.'],
    ['2026-06-29T12:01:00.000Z', 'ok', 'Accepted by OpenAI'],
    ['2026-06-15T12:00:00.000Z', 'bad', 'Expired 15 Jun 2026. Replace it.'],
    ['2026-05-03T12:00:00.000Z', 'bad', 'Expired 3 May 2026. Replace it.'],
  ])(
    'says by the calendar how soon a key of %s expires: %s, %s',
    ([expiresAt = '', tone, text]) => {
      setClock()
      const slot = someSlot({ key: someKey({ expiresAt }) })
      expect(describeStatus(slot, english)).toEqual({ tone, text })
    },
  )

  it.for<[per: Period, used: number, zone: string, end: string]>([
    ['day', 1_000, 'UTC', '16 Jun 2026, 00:00'],
    ['month', 1_000, 'UTC', '1 Jul 2026, 00:00'],
    ['day', 1_041, 'Asia/Kathmandu', '16 Jun 2026, 05:45'],
    ['month', 1_000, 'America/New_York', '30 Jun 2026, 20:00'],
  ])('a limit per %s is reached after %i uses, until in %s it is %s', ([per, used, zone, end]) => {
    setClock(undefined, zone)
    const slot = someSlot({ key: someKey({ maxUses: { count: 1_000, per, used } }) })
    const text = `Limit reached. It can be used again from ${end}.`
    expect(describeStatus(slot, english)?.text).toBe(text)
  })

  it.for([
    ['uses left', { count: 1_000, per: 'day', used: 999 }],
    ['no limit', null],
  ] as const)('no limit is reached by a key with %s', ([, maxUses]) => {
    const slot = someSlot({ key: someKey({ maxUses }) })
    expect(describeStatus(slot, english)?.text).toBe('Accepted by OpenAI')
  })

  it.for([
    ['de', 'Läuft morgen ab. Ersetzen Sie ihn.'],
    ['fr', 'Expire demain. Remplacez-la.'],
    ['es', 'Caduca mañana. Reemplácela.'],
    ['ja', 'まもなく期限が切れます（明日）。置き換えてください。'],
    ['zh-Hans', '明天到期。请更换密钥。'],
  ] as const)('says in %s that a key expires tomorrow: %s', ([language, text]) => {
    setClock()
    const slot = someSlot({ key: someKey({ expiresAt: daysAfterNoon(1) }) })
    expect(describeStatus(slot, translated(language))?.text).toBe(text)
  })
})

describe('the hint that a key may not be needed', () => {
  const HINT = 'Not used for 90 days. Delete it if you don’t need it.'
  const OLD = daysAfterNoon(-91)
  const RECENT = daysAfterNoon(-89)

  it.for<[what: string, isHinted: boolean, slot: ShownSlot]>([
    ['saved long ago and never used', true, someSlot({ key: someKey({ savedAt: OLD }) })],
    [
      'used and tested long ago',
      true,
      someSlot({ key: someKey({ savedAt: OLD, usedAt: OLD, testedAt: OLD }) }),
    ],
    ['saved recently', false, someSlot({ key: someKey({ savedAt: RECENT }) })],
    ['used recently', false, someSlot({ key: someKey({ savedAt: OLD, usedAt: RECENT }) })],
    ['tested recently', false, someSlot({ key: someKey({ savedAt: OLD, testedAt: RECENT }) })],
    ['expired', false, someSlot({ key: someKey({ savedAt: OLD, expiresAt: OLD }) })],
    ['whose uses are not recorded', false, plainSlot(someKey({ savedAt: OLD }))],
    ['of a provider that is gone', false, goneSlot(someKey({ savedAt: OLD }))],
    ['that cannot be read', false, someSlot({ key: 'unreadable' })],
    ['that is not there', false, someSlot()],
  ])('a key %s is hinted at: %s', ([, isHinted, slot]) => {
    setClock()
    expect(describeDisuse(slot, english.say)).toBe(isHinted ? HINT : null)
  })

  it.for([
    ['Europe/Berlin', '2027-03-28T12:00:00.000Z'],
    ['Australia/Lord_Howe', '2028-03-01T00:00:00.000Z'],
  ])(
    'the hint of an unused key comes after 90 days to the millisecond, in %s at %s',
    ([zone, now = '']) => {
      setClock(now, zone)
      const hint = (age: number) => {
        const savedAt = new Date(Date.parse(now) - age).toISOString()
        return describeDisuse(someSlot({ key: someKey({ savedAt }) }), english.say)
      }
      expect(hint(90 * DAY_MS)).toBeNull()
      expect(hint(90 * DAY_MS + 1)).toBe(HINT)
    },
  )
})

describe('the notice of a saved key', () => {
  it.for<[what: string, changes: Partial<ShownKey>, tone: string, text: string]>([
    ['accepted', {}, 'success', 'The OpenAI key is saved, and OpenAI accepts it.'],
    [
      'unconfirmed',
      { status: 'unverified' },
      'warning',
      'The OpenAI key is saved. We couldn’t confirm it with OpenAI. Test it later.',
    ],
  ])('says that a key is saved: %s', ([, changes, tone, text]) => {
    const slot = someSlot({ key: someKey(changes) })
    expect(describeSaved(slot, english.say)).toEqual({ tone, text })
  })

  it('says of a key without a provider only that it is saved', () => {
    const notice = { tone: 'success', text: 'The key is saved.' }
    expect(describeSaved(plainSlot(someKey()), english.say)).toEqual(notice)
  })
})

describe('the same key in several slots', () => {
  it.for<[what: string, key: ShownSlot['key'], text: string | null]>([
    ['no other slot', someKey(), null],
    ['another slot', someKey({ sameIn: ['groq'] }), 'You also saved this key for Groq.'],
    [
      'two other slots',
      someKey({ sameIn: ['groq', 'default'] }),
      'You also saved this key for Groq or General.',
    ],
    ['a slot that is not shown', someKey({ sameIn: ['unknown'] }), null],
    ['an unknown slot, since it cannot be read', 'unreadable', null],
  ])('says of a key that it is in %s', ([, key, text]) => {
    const slot = someSlot({ key })
    expect(describeSame(slot, [slot, groq, plainSlot()], english)).toBe(text)
  })

  const pair = [
    someSlot({ key: someKey({ sameIn: ['groq'] }) }),
    { ...groq, key: someKey({ sameIn: ['openai'] }) },
  ] as const
  const sameIn = (slots: readonly ShownSlot[]) => slots.map((slot) => readableKey(slot)?.sameIn)

  it.for<[what: string, key: ShownSlot['key'], known: string[][]]>([
    ['replaced by another one', someKey(), [[], []]],
    ['replaced by one that cannot be read', 'unreadable', [[]]],
    ['deleted', null, [[]]],
    ['limited', someKey({ isPaused: true, sameIn: ['openai'] }), [['groq'], ['openai']]],
  ])('one of two equal keys is %s: both slots know it', ([, key, known]) => {
    const slots = putSlot(pair, { ...groq, key })
    expect(sameIn(slots).filter((names) => names !== undefined)).toEqual(known)
  })

  it('a slot knows that its key was saved in another one', () => {
    const slots = putSlot([someSlot({ key: someKey() }), groq, plainSlot('unreadable')], pair[1])
    expect(sameIn(slots)).toEqual([['groq'], ['openai'], undefined])
  })
})

describe('whether a key can be checked', () => {
  it.for<[isChecked: boolean, what: string, key: ShownSlot['key']]>([
    [true, 'usable', someKey()],
    [false, 'paused', someKey({ isPaused: true })],
    [false, 'expired', someKey({ expiresAt: daysAfterNoon(-1) })],
    [false, 'unreadable', 'unreadable'],
    [false, 'missing', null],
  ])('%s for a key that is %s', ([isChecked, , key]) => {
    setClock()
    expect(canBeChecked(someSlot({ key }))).toBe(isChecked)
  })
})

it.for<[verdict: Verdict | null, tone: string, text: string]>([
  ['accepted', 'success', 'OpenAI accepts this key.'],
  ['refused', 'warning', 'OpenAI does not accept this key.'],
  ['unknown', 'warning', 'We couldn’t confirm this key with OpenAI. Test it again later.'],
  [null, 'warning', 'We couldn’t confirm this key with OpenAI. Test it again later.'],
])('says what a test of a key found: %s', ([verdict, tone, text]) => {
  expect(describeTest(verdict, 'OpenAI', english.say)).toEqual({ tone, text })
})

describe('whose key it is by its beginning', () => {
  const slots = [
    someSlot(),
    someSlot({ name: 'anthropic', label: 'Anthropic', keyPrefixes: ['sk-ant-'] }),
    someSlot({ name: 'deepseek', label: 'DeepSeek' }),
    someSlot({ name: 'gemini', label: 'Gemini', keyPrefixes: ['AIza', 'AQ.'] }),
    plainSlot(),
  ]

  it.for([
    ['sk-proj-1', ['openai', 'deepseek']],
    ['sk-ant-1', ['anthropic']],
    ['AQ.1', ['gemini']],
    ['gsk_1', []],
    ['', []],
  ] as const)('a key %j is likely of %j', ([key, names]) => {
    expect(findLikelySlots(key, slots).map(({ name }) => name)).toEqual(names)
  })
})
