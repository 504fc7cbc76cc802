import { describe, expect, it } from 'vitest'
import {
  canBeChecked,
  describeDisuse,
  describeElsewhere,
  describeLag,
  describeSame,
  describeSaved,
  describeTest,
  findLikelySlots,
  findSlot,
  isOffered,
  keysBeside,
  nameProvider,
  nameSlot,
  putSlot,
  readableKey,
  relabel,
  usableKey,
  type ShownKey,
  type ShownSlot,
} from '../../../src/page/element/slot.ts'
import type { Verdict } from '../../../src/shared/slot.ts'
import {
  DAY_MS,
  daysAfterNoon,
  english,
  goneSlot,
  labelled,
  NOON,
  plainSlot,
  setClock,
  someKey,
  someSlot,
  translated,
} from './shown.ts'

const groq = someSlot({ name: 'groq', provider: 'Groq', keyPrefixes: ['gsk_'] })

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

it('a slot with a label is called by its provider and the label', () => {
  expect(nameSlot(labelled('work'), english.say)).toBe('OpenAI · work')
  expect(nameProvider(labelled('work'), english.say)).toBe('OpenAI')
  const gone = { ...goneSlot(), name: 'gone:work', label: 'work' }
  expect(nameSlot(gone, english.say)).toBe('gone · work')
  expect(isOffered(gone)).toBe(false)
})

describe('the slots of a provider', () => {
  const [openai, work] = [someSlot({ key: someKey() }), labelled('work')]
  const all = [plainSlot(someKey()), work, openai, labelled('old', null), groq]

  it('a slot is found by its name, also one that was never used', () => {
    expect(findSlot(all, 'openai:work')).toBe(work)
    expect(findSlot(all, 'openai:new')).toEqual({ ...labelled('new', null), etag: null })
    expect(findSlot(all, 'gone:new')).toBeUndefined()
    expect(relabel(all, openai, 'work')).toBe(work)
    expect(relabel(all, work, null)).toBe(openai)
  })

  it('the keys of a provider are those of all its slots, in their order', () => {
    for (const slot of [openai, work, labelled('new', null)]) {
      expect(keysBeside(all, slot)).toEqual([work, openai])
    }
    expect(keysBeside(all, groq)).toEqual([])
  })

  it.for([
    ['a slot without a label', someSlot({ key: someKey() }), [work, labelled('old', null)]],
    ['a slot that had a key before', labelled('old'), [someSlot(), work]],
    ['a slot that was never used', labelled('new'), [someSlot(), work, labelled('old', null)]],
  ] as const)('a new key is the last one of its provider: in %s', ([, saved, before]) => {
    const slots = [plainSlot(), someSlot(), work, labelled('old', null), groq]
    expect(putSlot(slots, saved)).toEqual([plainSlot(), ...before, saved, groq])
  })

  it('a key that is replaced or deleted keeps its place', () => {
    for (const key of [someKey({ preview: 'sk-new-...' }), 'unreadable', null] as const) {
      const changed = labelled('work', key)
      const slots = putSlot(all, changed)
      expect(slots.map(({ name }) => name)).toEqual(all.map(({ name }) => name))
      expect(slots[1]).toBe(changed)
    }
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
    ['tested recently', true, someSlot({ key: someKey({ savedAt: OLD, testedAt: RECENT }) })],
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
      'The OpenAI key is saved, but OpenAI has not confirmed it yet. Test it later.',
    ],
    [
      'out of credit',
      { exhaustedAt: NOON },
      'warning',
      'The OpenAI key is saved, but the account is out of credit.',
    ],
  ])('says that a key is saved: %s', ([, changes, tone, text]) => {
    const slot = someSlot({ key: someKey(changes) })
    expect(describeSaved(slot, english)).toEqual({ tone, text, more: '' })
  })

  it('names the label of a saved key, and its provider', () => {
    const text = 'The OpenAI · work key is saved, and OpenAI accepts it.'
    expect(describeSaved(labelled('work'), english)).toEqual({ tone: 'success', text, more: '' })
  })

  it('says of a key without a provider only that it is saved', () => {
    const notice = { tone: 'success', text: 'The key is saved.', more: '' }
    expect(describeSaved(plainSlot(someKey()), english)).toEqual(notice)
  })
})

describe('what else is said of a saved key', () => {
  const STAYS = 'It stays paused until you resume it.'
  const EARLIER = 'It can take up to 60 seconds until this applies everywhere.'
  const PAUSED = { isPaused: true }

  it.for<[what: string, changes: Partial<ShownKey>, lag: number, more: string]>([
    ['paused', PAUSED, 0, STAYS],
    ['used from a cache', {}, 60, EARLIER],
    ['paused, used from a cache', PAUSED, 60, `${STAYS} ${EARLIER}`],
    ['paused, unconfirmed', { ...PAUSED, status: 'unverified' }, 0, STAYS],
    ['paused, out of credit', { ...PAUSED, exhaustedAt: NOON }, 0, STAYS],
  ])('says more of a saved key that is %s', ([, changes, lag, more]) => {
    const key = someKey(changes)
    expect(describeSaved(someSlot({ key, lag }), english)).toMatchObject({ more })
    expect(describeSaved({ ...plainSlot(key), lag }, english)).toMatchObject({ more })
  })
})

describe('a change made elsewhere', () => {
  it.for<[slot: ShownSlot, text: string]>([
    [someSlot({ key: someKey() }), 'This key was changed somewhere else.'],
    [someSlot({ key: 'unreadable' }), 'This key was changed somewhere else.'],
    [someSlot(), 'The OpenAI key was deleted somewhere else.'],
    [labelled('work', null), 'The OpenAI · work key was deleted somewhere else.'],
  ])('says of %o what something else has done: %s', ([slot, text]) => {
    expect(describeElsewhere(slot, english.say)).toEqual({ text, tone: 'neutral' })
  })

  it.for<Verdict | null>(['accepted', 'refused', 'unknown', null])(
    'says of a tested key that it was deleted elsewhere, whatever was found: %s',
    (verdict) => {
      const text = 'The OpenAI key was deleted somewhere else.'
      expect(describeTest(verdict, someSlot(), english.say)).toEqual({ text, tone: 'neutral' })
    },
  )
})

describe('the same key in several slots', () => {
  it.for<[what: string, key: ShownSlot['key'], text: string | null]>([
    ['no other slot', someKey(), null],
    ['another slot', someKey({ sameIn: ['groq'] }), 'You also saved this key for Groq.'],
    [
      'two other slots',
      someKey({ sameIn: ['groq', 'default'] }),
      'You also saved this key for Groq, General.',
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

describe('how long applications go on after a change', () => {
  it('says nothing after a change that counts at once', () => {
    expect(describeLag(someSlot(), english)).toBe('')
  })

  it.for([
    ['en', 1, 'It can take up to 1 second until this applies everywhere.'],
    ['en', 60, 'It can take up to 60 seconds until this applies everywhere.'],
    ['de', 1, 'Es kann bis zu 1 Sekunde dauern, bis das überall gilt.'],
    ['fr', 1, 'Le changement peut mettre jusqu’à 1\u00a0seconde à s’appliquer partout.'],
    ['es', 1, 'Puede tardar hasta 1 segundo en aplicarse en todas partes.'],
    ['ja', 1, '反映まで最大 1 秒かかることがあります。'],
    ['zh-Hans', 1, '最多可能需要1秒钟才能在各处生效。'],
  ] as const)(
    'says in %s after a change within how many seconds it counts, %i: %s',
    ([name, lag, text]) => {
      const language = name === 'en' ? english : translated(name)
      expect(describeLag(someSlot({ lag }), language)).toBe(text)
    },
  )
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

it.for<[verdict: Verdict | null, changes: Partial<ShownKey>, tone: string, text: string]>([
  ['accepted', {}, 'success', 'OpenAI accepts this key.'],
  [
    'accepted',
    { exhaustedAt: NOON },
    'neutral',
    'OpenAI accepts this key. If you have added credit, the next use will show it.',
  ],
  ['refused', { exhaustedAt: NOON }, 'warning', 'OpenAI does not accept this key.'],
  ['unknown', {}, 'warning', 'OpenAI did not confirm this key. Test it again later.'],
  [null, {}, 'warning', 'OpenAI did not confirm this key. Test it again later.'],
])('says what a test of a key found: %s, of a key that is %j', ([verdict, changes, tone, text]) => {
  const slot = someSlot({ key: someKey(changes) })
  expect(describeTest(verdict, slot, english.say)).toEqual({ tone, text })
})

describe('whose key it is by its beginning', () => {
  const slots = [
    someSlot(),
    someSlot({ name: 'anthropic', provider: 'Anthropic', keyPrefixes: ['sk-ant-'] }),
    someSlot({ name: 'deepseek', provider: 'DeepSeek' }),
    someSlot({ name: 'gemini', provider: 'Gemini', keyPrefixes: ['AIza', 'AQ.'] }),
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
