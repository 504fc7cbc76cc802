import { describe, expect, it } from 'vitest'
import type { Period } from '../../../src/page/element/days.ts'
import type { Action } from '../../../src/page/element/key-actions.ts'
import {
  describeStatus,
  needsAttention,
  renderStatus,
} from '../../../src/page/element/key-status.ts'
import type { ShownKey, ShownSlot } from '../../../src/page/element/slot.ts'
import { textsOf } from './markup.ts'
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

const GONE = 'This provider is no longer offered. You can only delete the key.'
const AWAY = 'Temporarily unavailable. Your key is still stored; you don’t need to enter it again.'
const UNREADABLE = 'This key can no longer be read. Enter it again.'

/** What is said of the key in a slot, each with its tone. */
const said = (slot: ShownSlot, language = english) =>
  describeStatus(slot, language).map(({ tone, text }) => `${tone}: ${text}`)

describe('the status of a key', () => {
  const PAUSED = { isPaused: true }
  const REACHED = { maxUses: { count: 2, per: 'day', used: 2 } } as const
  const EXPIRED = { expiresAt: daysAfterNoon(-1) }
  const SOON = { expiresAt: daysAfterNoon(2) }
  const REJECTED = { status: 'rejected' } as const
  const UNVERIFIED = { status: 'unverified' } as const
  const EXHAUSTED = { exhaustedAt: daysAfterNoon(-3) }

  const SAYS = {
    accepted: 'ok: Accepted by OpenAI',
    unverified: 'none: Not confirmed yet',
    rejected: 'bad: Rejected by OpenAI. Replace it.',
    expired: 'bad: Expired 14 Jun 2026. Replace it.',
    exhausted: 'bad: Out of credit at OpenAI since 12 Jun 2026.',
    paused: 'none: Paused. Applications cannot use it.',
    limit: 'warn: Limit reached. It can be used again from 16 Jun 2026, 00:00.',
    soon: 'warn: Expires in 2 days. Replace it.',
  }

  it.for<[what: string, changes: Partial<ShownKey>, says: (keyof typeof SAYS)[]]>([
    ['accepted', {}, ['accepted']],
    ['unverified', UNVERIFIED, ['unverified']],
    ['rejected', REJECTED, ['rejected']],
    ['out of credit', EXHAUSTED, ['exhausted']],
    ['expired', EXPIRED, ['expired']],
    ['that expires soon', SOON, ['soon']],
    ['of a reached limit', REACHED, ['limit']],
    ['unverified, out of credit', { ...UNVERIFIED, ...EXHAUSTED }, ['exhausted']],
    ['rejected, out of credit', { ...REJECTED, ...EXHAUSTED }, ['rejected']],
    ['rejected that expires soon', { ...REJECTED, ...SOON }, ['rejected']],
    ['rejected that has expired', { ...REJECTED, ...EXPIRED }, ['rejected']],
    ['rejected, of a reached limit', { ...REJECTED, ...REACHED }, ['rejected']],
    ['out of credit that has expired', { ...EXHAUSTED, ...EXPIRED }, ['expired']],
    ['out of credit that expires soon', { ...EXHAUSTED, ...SOON }, ['exhausted']],
    ['out of credit, of a reached limit', { ...EXHAUSTED, ...REACHED }, ['exhausted']],
    ['unverified that has expired', { ...UNVERIFIED, ...EXPIRED }, ['expired']],
    ['unverified that expires soon', { ...UNVERIFIED, ...SOON }, ['soon']],
    [
      'unverified that expires in 20 days',
      { ...UNVERIFIED, expiresAt: daysAfterNoon(20) },
      ['unverified'],
    ],
    ['of a reached limit that expires soon', { ...REACHED, ...SOON }, ['limit']],
    ['unverified, of a reached limit', { ...UNVERIFIED, ...REACHED }, ['limit']],
    ['paused', PAUSED, ['paused']],
    ['paused, unverified', { ...PAUSED, ...UNVERIFIED }, ['paused']],
    ['paused, of a reached limit', { ...PAUSED, ...REACHED }, ['paused']],
    ['paused that expires soon', { ...PAUSED, ...SOON }, ['paused']],
    ['paused and rejected', { ...PAUSED, ...REJECTED, ...SOON }, ['rejected', 'paused']],
    ['paused, out of credit', { ...PAUSED, ...EXHAUSTED }, ['exhausted', 'paused']],
    ['paused that has expired', { ...PAUSED, ...EXPIRED }, ['expired', 'paused']],
    [
      'paused, rejected and expired, out of credit',
      { ...PAUSED, ...REJECTED, ...EXPIRED, ...EXHAUSTED },
      ['rejected', 'paused'],
    ],
  ])('says what is most urgent for a key %s: %j', ([, changes, says]) => {
    setClock()
    const slot = someSlot({ key: someKey(changes) })
    expect(said(slot)).toEqual(says.map((name) => SAYS[name]))
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
    expect(describeStatus(slot, english).map((status) => status.text)).toEqual([text])
  })

  it.for<[what: string, changes: Partial<ShownKey>, says: string[]]>([
    ['usable', {}, []],
    ['unverified', UNVERIFIED, []],
    ['rejected', REJECTED, []],
    ['out of credit', EXHAUSTED, []],
    ['expired', EXPIRED, [SAYS.expired]],
    ['of a reached limit', REACHED, [SAYS.limit]],
    ['that expires soon', SOON, [SAYS.soon]],
    ['paused', PAUSED, [SAYS.paused]],
  ])('says of a key without a provider only what is urgent: %s', ([, changes, says]) => {
    setClock()
    expect(said(plainSlot(someKey(changes)))).toEqual(says)
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
      expect(said(slot)).toEqual([`${tone}: ${text}`])
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
    expect(said(slot)).toEqual([`warn: Limit reached. It can be used again from ${end}.`])
  })

  it.for([
    ['uses left', { count: 1_000, per: 'day', used: 999 }],
    ['no limit', null],
  ] as const)('no limit is reached by a key with %s', ([, maxUses]) => {
    const slot = someSlot({ key: someKey({ maxUses }) })
    expect(said(slot)).toEqual([SAYS.accepted])
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
    expect(said(slot, translated(language))).toEqual([`warn: ${text}`])
  })

  it.for([
    ['en', 'Out of credit at OpenAI since 3 Nov 2026.'],
    ['de', 'Seit dem 03.11.2026 kein Guthaben mehr bei OpenAI.'],
    ['fr', 'Crédit épuisé chez OpenAI depuis le 3 nov. 2026.'],
    ['es', 'Sin crédito en OpenAI desde el 3 nov 2026.'],
    ['ja', 'OpenAI のクレジット残高が 2026/11/03 から不足しています。'],
    ['zh-Hans', '自 2026年11月3日起，OpenAI 账户余额不足。'],
  ] as const)('says in %s since when a key is out of credit: %s', ([language, text]) => {
    setClock('2026-11-30T12:00:00.000Z')
    const slot = someSlot({ key: someKey({ exhaustedAt: '2026-11-03T14:05:00.000Z' }) })
    const spoken = language === 'en' ? english : translated(language)
    expect(textsOf(renderStatus(describeStatus(slot, spoken)), 'span')).toEqual([text])
  })

  it('each status stands beside the others', () => {
    setClock()
    const exhausted = someSlot({ key: someKey({ ...PAUSED, ...EXHAUSTED }) })
    const shown = renderStatus(describeStatus(exhausted, english))
    expect(textsOf(shown, 'span')).toEqual([
      'Out of credit at OpenAI since 12 Jun 2026.',
      'Paused. Applications cannot use it.',
    ])
  })

  it('an empty slot has no status', () => {
    expect(describeStatus(someSlot(), english)).toEqual([])
  })

  it.for<[slot: ShownSlot, asksFor: (Action | undefined)[]]>([
    [someSlot({ key: someKey() }), ['test']],
    [someSlot({ key: someKey(UNVERIFIED) }), ['test']],
    [someSlot({ key: someKey(REJECTED) }), ['replace']],
    [someSlot({ key: someKey(EXPIRED) }), ['replace']],
    [someSlot({ key: someKey(SOON) }), ['replace']],
    [someSlot({ key: someKey(EXHAUSTED) }), ['addCredit']],
    [someSlot({ key: someKey(REACHED) }), ['limits']],
    [someSlot({ key: someKey(PAUSED) }), ['resume']],
    [someSlot({ key: someKey({ ...PAUSED, ...REJECTED }) }), ['replace', 'resume']],
    [someSlot({ key: 'unreadable' }), ['replace']],
    [someSlot({ key: 'unavailable' }), [undefined]],
    [goneSlot(), ['delete']],
    [plainSlot(someKey()), []],
  ])('names what each state asks for: %o, %j', ([slot, asksFor]) => {
    setClock()
    expect(describeStatus(slot, english).map((status) => status.asksFor)).toEqual(asksFor)
  })

  it.for<[needs: boolean, what: string, slot: ShownSlot]>([
    [true, 'rejected', someSlot({ key: someKey(REJECTED) })],
    [true, 'expired', someSlot({ key: someKey(EXPIRED) })],
    [true, 'that expires soon', someSlot({ key: someKey(SOON) })],
    [true, 'out of credit', someSlot({ key: someKey(EXHAUSTED) })],
    [true, 'of a reached limit', someSlot({ key: someKey(REACHED) })],
    [true, 'unreadable', someSlot({ key: 'unreadable' })],
    [true, 'paused and rejected', someSlot({ key: someKey({ ...PAUSED, ...REJECTED }) })],
    [false, 'paused', someSlot({ key: someKey(PAUSED) })],
    [false, 'paused that expires soon', someSlot({ key: someKey({ ...PAUSED, ...SOON }) })],
    [false, 'accepted', someSlot({ key: someKey() })],
    [false, 'unverified', someSlot({ key: someKey(UNVERIFIED) })],
    [false, 'unavailable', someSlot({ key: 'unavailable' })],
    [false, 'of a removed provider', goneSlot()],
    [false, 'missing', someSlot()],
  ])('%s: attention for a key %s', ([needs, , slot]) => {
    setClock()
    expect(needsAttention(slot, english)).toBe(needs)
  })
})
