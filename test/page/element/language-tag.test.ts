import { expect, it } from 'vitest'
import { findLanguage, parseLocale } from '../../../src/page/element/language-tag.ts'

const NAMES = ['en', 'de', 'zh-Hans']

it.for([
  ['en', 'en'],
  ['EN-us', 'en'],
  ['de-AT', 'de'],
  ['zh', 'zh-Hans'],
  ['zh-SG', 'zh-Hans'],
  ['zh-Hant', undefined],
  ['zh-TW', undefined],
  ['fi', undefined],
  ['', undefined],
  ['not_a_tag', undefined],
  ['undefined', undefined],
] as const)('the tag "%s" asks for %s', ([tag, name]) => {
  expect(findLanguage(tag, NAMES)).toBe(name)
})

it('a tag has the script that its language is most likely written in', () => {
  expect(parseLocale('zh-HK')?.script).toBe('Hant')
  expect(parseLocale('not_a_tag')).toBeNull()
})
