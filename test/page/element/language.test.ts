import { describe, expect, it } from 'vitest'
import { gapAfter, Language } from '../../../src/page/element/language.ts'
import { daysAfterNoon, english, setClock } from './shown.ts'

const TIME = '2026-11-03T14:05:00.000Z'

describe('a text', () => {
  it('stands in English if the language lacks it', () => {
    const language = new Language('de', { save: 'Sichern' })
    expect([language.say('save'), language.say('cancel')]).toEqual(['Sichern', 'Cancel'])
  })

  it('takes each value that it names, and keeps a placeholder without a value', () => {
    const language = new Language('en', { saved: '{time}, {time}, {day}, {0}' })
    expect(language.say('saved', { time: 1, day: '', other: 'x' })).toBe('1, 1, , {0}')
    expect(language.say('saved')).toBe('{time}, {time}, {day}, {0}')
  })

  it('takes a value as it is, whatever is in it', () => {
    const language = new Language('en', { saved: 'Saved {time}' })
    expect(language.say('saved', { time: "{day} $& $1 $' a(n)" })).toBe("Saved {day} $& $1 $' a(n)")
  })

  it.for([
    ['an OpenAI key', 'OpenAI'],
    ['an Anthropic key', 'Anthropic'],
    ['an xAI key', 'xAI'],
    ['a Groq key', 'Groq'],
    ['a xylophone key', 'xylophone'],
    ['a Mistral key', 'Mistral'],
  ] as const)('the article fits the name: %s', ([text, provider]) => {
    const replaces = english.say('replaces', { provider })
    expect(replaces).toBe(`You already have ${text}. The new one replaces it.`)
  })

  it('each name in a text gets its own article', () => {
    const values = { likely: 'OpenAI or DeepSeek', provider: 'Mistral' }
    const text = 'This looks like an OpenAI or DeepSeek key, not a Mistral one.'
    expect(english.say('mismatch', values)).toBe(text)
  })
})

describe('a language that has learned more', () => {
  const own = new Language('de', { save: 'Sichern' }, 'de-AT')
  const more = own.with({ save: 'Speichern', times: ' {count} Mal' })

  it('says the texts that it has learned, and its own as before', () => {
    expect([more.say('times', { count: 2 }), more.say('save')]).toEqual([' 2 Mal', 'Sichern'])
    expect([more.tag, more.day(TIME)]).toEqual([own.tag, own.day(TIME)])
  })

  it('knows these texts, and the English ones', () => {
    const names = ['times', 'save', 'cancel', 'event_other']
    expect(names.map(more.knows)).toEqual([true, true, true, false])
    expect(names.map(own.knows)).toEqual([false, true, true, false])
  })
})

describe('dates and numbers', () => {
  it.for<[tag: string, minute: string, day: string, tomorrow: string, number: string]>([
    ['en', '3 Nov 2026, 14:05', '3 Nov 2026', 'tomorrow', '1,041'],
    ['en-US', 'Nov 3, 2026, 2:05 PM', 'Nov 3, 2026', 'tomorrow', '1,041'],
    ['de', '03.11.2026, 14:05', '03.11.2026', 'morgen', '1.041'],
    ['fr', '3 nov. 2026, 14:05', '3 nov. 2026', 'demain', '1\u202f041'],
    ['es', '3 nov 2026, 14:05', '3 nov 2026', 'mañana', '1041'],
    ['ja', '2026/11/03 14:05', '2026/11/03', '明日', '1,041'],
    ['zh-Hans', '2026年11月3日 14:05', '2026年11月3日', '明天', '1,041'],
  ])('dates and numbers are those of %s: %s', ([tag, minute, day, tomorrow, number]) => {
    setClock()
    const language = new Language(tag)
    const inAnHour = (text: string) => text.replace('\u202f', ' ')
    expect(inAnHour(language.minute(TIME))).toBe(minute)
    expect(language.day(TIME)).toBe(day)
    expect(language.dayFromNow(daysAfterNoon(1))).toBe(tomorrow)
    expect(language.number(1_041)).toBe(number)
  })

  it.for([
    ['en', '1 second', '60 seconds'],
    ['de', '1 Sekunde', '60 Sekunden'],
    ['fr', '1\u00a0seconde', '60\u00a0secondes'],
    ['es', '1 segundo', '60 segundos'],
    ['ja', '1 秒', '60 秒'],
    ['zh-Hans', '1秒钟', '60秒钟'],
  ] as const)('durations have the plural of %s: %s, %s', ([tag, one, many]) => {
    const { duration } = new Language(tag)
    expect([duration(1), duration(60)]).toEqual([one, many])
  })

  it('dates may be those of a country, while the tag is that of the texts', () => {
    setClock()
    const language = new Language('en', {}, 'en-US')
    expect([language.tag, language.day(TIME)]).toEqual(['en', 'Nov 3, 2026'])
  })

  it.for<[zone: string, minute: string, day: string]>([
    ['Asia/Kathmandu', '3 Nov 2026, 19:50', '3 Nov 2026'],
    ['Pacific/Kiritimati', '4 Nov 2026, 04:05', '4 Nov 2026'],
    ['America/St_Johns', '3 Nov 2026, 10:35', '3 Nov 2026'],
  ])('times are in the time zone of the reader: %s', ([zone, minute, day]) => {
    setClock(undefined, zone)
    expect([english.minute(TIME), english.day(TIME)]).toEqual([minute, day])
  })

  it.for([
    [-2, '2 days ago'],
    [-1, 'yesterday'],
    [0, 'today'],
    [1, 'tomorrow'],
    [14, 'in 14 days'],
  ] as const)('says how far a day is, %i days from now: %s', ([days, text]) => {
    setClock()
    expect(english.dayFromNow(daysAfterNoon(days))).toBe(text)
  })
})

it.for([
  ['en', ['A'], 'A', 'A'],
  ['en', ['A', 'B', 'C'], 'A, B or C', 'A, B, C'],
  ['en', [], '', ''],
  ['de', ['A', 'B', 'C'], 'A, B oder C', 'A, B und C'],
  ['ja', ['A', 'B', 'C'], 'A、B、またはC', 'A、B、C'],
] as const)('lists in %s %j: one of "%s", all of "%s"', ([tag, words, list, names]) => {
  const language = new Language(tag)
  expect([language.list(words), language.names(words)]).toEqual([list, names])
})

it.for([
  ['Ready.', ' '],
  ['Ready?', ' '],
  ['Ready', ' '],
  ['完了。', ''],
  ['完了！', ''],
  ['完了？', ''],
] as const)('the next sentence follows "%s" after "%s"', ([sentence, gap]) => {
  expect(gapAfter(sentence)).toBe(gap)
})
