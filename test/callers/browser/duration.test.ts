import { expect, it } from 'vitest'
import { sayDuration } from '../../../src/callers/browser/duration.ts'

it.for<[seconds: number, text: string]>([
  [1, '1 second'],
  [60, '60 seconds'],
  [119, '119 seconds'],
  [120, '2 minutes'],
  [121, '3 minutes'],
  [3_600, '60 minutes'],
  [7_199, '120 minutes'],
  [7_200, '2 hours'],
  [86_400, '24 hours'],
  [172_800, '2 days'],
  [2_592_000, '30 days'],
])('a wait of %i seconds is %s', ([seconds, text]) => {
  expect(sayDuration(seconds, 'en')).toBe(text)
})

it.for<[tag: string, texts: string[]]>([
  ['de', ['42 Sekunden', '5 Minuten', '2 Tage']],
  ['fr', ['42 secondes', '5 minutes', '2 jours']],
  ['es', ['42 segundos', '5 minutos', '2 días']],
  ['ja', ['42 秒', '5 分', '2 日']],
  ['zh-Hans', ['42秒钟', '5分钟', '2天']],
])('a wait is said in %s', ([tag, texts]) => {
  // Intl separates some units with a no-break space.
  const said = [42, 300, 172_800].map((each) => sayDuration(each, tag).replaceAll('\u{A0}', ' '))
  expect(said).toEqual(texts)
})
