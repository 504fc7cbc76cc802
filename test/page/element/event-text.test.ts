import { describe, expect, it } from 'vitest'
import { TRANSLATED } from '../../../scripts/lib/element.ts'
import type { EventLine } from '../../../src/page/element/event-lines.ts'
import { describeEvent, type Reader } from '../../../src/page/element/event-text.ts'
import type { ShownSlot } from '../../../src/page/element/slot.ts'
import type { EventAnswer } from '../../../src/shared/answers.ts'
import type { RejectionReason } from '../../../src/shared/slot.ts'
import { english, goneSlot, plainSlot, setClock, someSlot, translated } from './shown.ts'

type Line = Partial<Omit<EventLine, 'event'>>

const TODAY = '2026-06-15T10:10:00.000Z'
const YESTERDAY = { time: '2026-06-14T10:10:00.000Z' }

/** What `event` reads as at noon, for the owner of a key of OpenAI. */
function read(
  event: Pick<EventAnswer, 'event'> & Partial<EventAnswer>,
  { time = TODAY, count = 1, errors = 0 }: Line = {},
  slot: ShownSlot = someSlot(),
  language = english,
  reader: Reader = { kind: 'users', userId: 'user-1' },
): string {
  setClock()
  const whole: EventAnswer = { id: time, provider: slot.name, by: 'owner', at: time, ...event }
  return describeEvent({ event: whole, time, count, errors }, slot, language, reader)
}

describe('an event in plain words', () => {
  it.for<[text: string, event: Pick<EventAnswer, 'event'> & Partial<EventAnswer>, line?: Line]>([
    ['You saved the key', { event: 'saved' }],
    ['You replaced the key', { event: 'replaced' }],
    ['You deleted the key', { event: 'deleted' }],
    ['The key was deleted automatically', { event: 'deleted', by: 'job' }],
    ['The key was deleted automatically', { event: 'deleted', by: 'import' }],
    ['The provider of the key was set automatically', { event: 'assigned', by: 'job' }],
    ['You set the provider of the key', { event: 'assigned' }],
    ['The key was imported', { event: 'imported', by: 'import' }],
    ['You tested the key, and OpenAI accepted it', { event: 'verified', verdict: 'accepted' }],
    ['You tested the key, and OpenAI rejected it', { event: 'verified', verdict: 'refused' }],
    [
      'You tested the key, and OpenAI did not confirm it',
      { event: 'verified', verdict: 'unknown' },
    ],
    [
      'OpenAI rejected a key that you wanted to save',
      { event: 'rejected_on_save', verdict: 'refused' },
    ],
    [
      'OpenAI rejected the key when chat-worker used it',
      { event: 'rejected_in_use', by: 'caller', caller: 'binding:chat-worker' },
    ],
    [
      'OpenAI rejected the key when an application used it',
      { event: 'rejected_in_use', by: 'caller' },
    ],
    ['OpenAI said that the account is out of credit', { event: 'out_of_credit', by: 'caller' }],
    ['OpenAI said that the account is out of credit', { event: 'out_of_credit', by: 'job' }],
    ['The OpenAI account has credit again', { event: 'in_credit', by: 'caller' }],
    [
      'The key was checked automatically, and OpenAI accepted it',
      { event: 'rechecked', by: 'job', verdict: 'accepted' },
    ],
    [
      'The key was checked automatically, and OpenAI rejected it',
      { event: 'rechecked', by: 'job', verdict: 'refused' },
    ],
    ['You paused the key', { event: 'paused' }],
    ['You resumed the key', { event: 'resumed' }],
    ['You changed the limits of the key', { event: 'limits_changed' }],
    ['The key expired', { event: 'expired', by: 'job' }],
    ['chat-worker used this key today', { event: 'used', caller: 'binding:chat-worker' }],
    [
      'An application used this key 1,041 times yesterday',
      { event: 'used' },
      { ...YESTERDAY, count: 1_041 },
    ],
    [
      'An application used this key 41 times today (3 failed)',
      { event: 'used' },
      { count: 41, errors: 3 },
    ],
    ['An application used this key today (1 failed)', { event: 'used' }, { errors: 1 }],
    [
      'batch read the whole key 2 times today',
      { event: 'revealed', caller: 'binding:batch' },
      { count: 2 },
    ],
    ['The operator of this application exported the key', { event: 'exported', by: 'operator' }],
    [
      'An application was refused today: the key is paused',
      { event: 'use_refused', code: 'api_key_paused' },
    ],
    [
      'An application was refused 2 times today: the key has expired',
      { event: 'use_refused', code: 'api_key_expired' },
      { count: 2 },
    ],
    [
      'batch was refused 3 days ago: you have not allowed this application',
      { event: 'use_refused', code: 'caller_not_allowed', caller: 'binding:batch' },
      { time: '2026-06-12T10:10:00.000Z' },
    ],
    ['An application was refused today: the limit was reached', { event: 'limit_reached' }],
    ['An application was refused today: the key cannot be read', { event: 'unreadable' }],
    ['urn:chat (via API) used this key today', { event: 'used', caller: 'relay:urn:chat' }],
  ])('an event reads "%s"', ([text, event, line]) => {
    expect(read(event, line)).toBe(text)
  })
})

describe('why a key was rejected', () => {
  const REJECTIONS = [
    { event: 'verified', verdict: 'refused' },
    { event: 'rejected_on_save', verdict: 'refused' },
    { event: 'rejected_on_save', verdict: 'refused', by: 'operator', caller: 'server:flask-app' },
    { event: 'rejected_in_use', by: 'caller', caller: 'binding:chat-worker' },
    { event: 'rechecked', by: 'job', verdict: 'refused' },
  ] as const

  it.for<[reason: RejectionReason, text: string]>([
    ['revoked', ': it was revoked'],
    ['leaked', ': it was reported as leaked, so you need a new one'],
    ['suspended', ': the account is suspended'],
    ['unknown', ''],
  ])('each rejection for the reason "%s" ends with "%s"', ([reason, text]) => {
    for (const event of REJECTIONS) expect(read({ ...event, reason })).toBe(read(event) + text)
  })

  it.for([
    ['de', 'als chat-worker ihn verwendete: Der Schlüssel wurde widerrufen'],
    ['fr', 'lorsque chat-worker l’a utilisée\u202f: elle a été révoquée'],
    ['es', 'cuando chat-worker la usó: había sido revocada'],
    ['ja', '拒否しました（使用：chat-worker）。理由：キーが無効化されています'],
    ['zh-Hans', '拒绝了密钥（使用者：chat-worker），原因：密钥已被吊销'],
  ] as const)('the reason follows the sentence in %s: "%s"', ([name, text]) => {
    const event = { event: 'rejected_in_use', caller: 'binding:chat-worker' } as const
    const said = read({ ...event, reason: 'revoked' }, {}, someSlot(), translated(name))
    expect(said.slice(-text.length)).toBe(text)
  })
})

it.for<[text: string, event: Pick<EventAnswer, 'event'> & Partial<EventAnswer>, line?: Line]>([
  ['{caller} saved the key', { event: 'saved' }],
  ['{caller} deleted the key', { event: 'deleted' }],
  ['{caller} paused the key', { event: 'paused' }],
  [
    'OpenAI rejected a key that {caller} wanted to save',
    { event: 'rejected_on_save', verdict: 'refused' },
  ],
  ['{caller} looked at the details of this key 5 times today', { event: 'viewed' }, { count: 5 }],
])('what the operator does is not said to be done by the owner: "%s"', ([text, event, line]) => {
  for (const [caller, name] of [
    ['binding:support', 'support'],
    ['server:flask-app', 'flask-app (via API)'],
  ] as const) {
    const said = text.replace('{caller}', name)
    expect(read({ ...event, by: 'operator', caller }, line)).toBe(said)
  }
})

it.for(['en', ...TRANSLATED])(
  'what the operator does reads in %s as no act of the owner',
  (name) => {
    const language = name === 'en' ? english : translated(name)
    for (const event of ['saved', 'deleted', 'paused', 'rejected_on_save'] as const) {
      const said = read(
        { event, by: 'operator', caller: 'server:flask-app' },
        {},
        someSlot(),
        language,
      )
      expect(said).toContain('flask-app')
      expect(said).not.toBe(read({ event }, {}, someSlot(), language))
    }
  },
)

it.for<[text: string, event: Pick<EventAnswer, 'event'> & Partial<EventAnswer>]>([
  ['éclair used this key today', { event: 'used', caller: 'binding:éclair' }],
  ['xAI rejected a key that you wanted to save', { event: 'rejected_on_save' }],
])('a name keeps its small first letter at the beginning of a sentence: "%s"', ([text, event]) => {
  expect(read(event, {}, someSlot({ name: 'xai', provider: 'xAI' }))).toBe(text)
})

it.for<[name: string, slot: ShownSlot]>([
  ['General', plainSlot()],
  ['gone', goneSlot()],
])('a slot without a provider is called %s', ([name, slot]) => {
  const text = `You tested the key, and ${name} rejected it`
  expect(read({ event: 'verified', verdict: 'refused' }, {}, slot)).toBe(text)
})

it.for(['2026-06-15T12:00:20.000Z', '2026-06-16T00:00:20.000Z', '2026-06-17T12:00:00.000Z'])(
  'an event of %s is said to be of today at noon of the 15th, as the clock may be behind',
  (time) => {
    expect(read({ event: 'used', caller: 'binding:chat' }, { time })).toBe(
      'chat used this key today',
    )
  },
)

describe('an event of a team', () => {
  const readOfTeam = (
    event: Pick<EventAnswer, 'event'> & Partial<EventAnswer>,
    language = english,
  ) => read(event, {}, someSlot(), language, { kind: 'teams', userId: 'user-1' })
  const ACTS: [text: string, event: EventAnswer['event']][] = [
    ['saved the key', 'saved'],
    ['replaced the key', 'replaced'],
    ['deleted the key', 'deleted'],
    ['paused the key', 'paused'],
    ['resumed the key', 'resumed'],
    ['changed the limits of the key', 'limits_changed'],
  ]

  it.for([...ACTS, ['tested the key', 'verified']] as const)(
    'what another admin did is not said to be done by the reader: "%s"',
    ([text, event]) => {
      expect(readOfTeam({ event, member: 'user-2' })).toBe(`user-2 ${text}`)
      expect(readOfTeam({ event })).toBe(`A member ${text}`)
      for (const name of TRANSLATED) {
        const said = readOfTeam({ event, member: 'user-2' }, translated(name))
        expect(said).toContain('user-2')
      }
    },
  )

  it.for(ACTS)('what the reader did is said to be done by the reader: "%s"', ([text, event]) => {
    expect(readOfTeam({ event, member: 'user-1' })).toBe(`You ${text}`)
  })

  it('what an application did for a member is said of the application', () => {
    const event = { event: 'used', by: 'caller', caller: 'binding:chat', member: 'user-2' } as const
    expect(readOfTeam(event)).toBe('chat used this key today')
  })

  it('a key that another admin wanted to save is said to be theirs', () => {
    const event = { event: 'rejected_on_save', verdict: 'refused', member: 'user-2' } as const
    expect(readOfTeam(event)).toBe('OpenAI rejected a key that user-2 wanted to save')
  })
})

it('a number of times and a day are said in the language', () => {
  const text = read({ event: 'used' }, { ...YESTERDAY, count: 1_041 }, someSlot(), translated('de'))
  expect(text).toContain('1.041')
  expect(text).toContain('gestern')
})
