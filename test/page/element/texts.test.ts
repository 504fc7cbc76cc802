import { expect, it } from 'vitest'
import { TRANSLATED } from '../../../scripts/lib/element.ts'
import { PANEL_TEXTS } from '../../../src/page/element/panel-texts.ts'
import { ENGLISH } from '../../../src/page/element/texts.ts'
import { TEXTS as SITE_TEXTS } from '../../../src/page/site/texts.ts'
import { readTexts } from './shown.ts'

const ALL = { ...ENGLISH, ...PANEL_TEXTS }

/** The placeholders of a text. */
const valuesOf = (text: string) => [...new Set(text.match(/\{\w+\}/g))].toSorted()

it.for(TRANSLATED)('the language %s has every English text, with its placeholders', (name) => {
  const texts = readTexts(name)
  expect(Object.keys(texts)).toEqual(Object.keys(ALL))
  const values = Object.entries(texts).map(([text, said]) => [text, valuesOf(said)])
  expect(values).toEqual(Object.entries(ALL).map(([text, said]) => [text, valuesOf(said)]))
})

it.for(TRANSLATED)('the language %s has no article of two letters, and no empty text', (name) => {
  const texts = Object.values(readTexts(name))
  expect(texts.filter((text) => text.trim() === '' || text.includes('a(n)'))).toEqual([])
})

/** Every text of the element and of the page at `/` in a language. */
const allTexts = (name: string) =>
  Object.entries({ ...(name === 'en' ? ALL : readTexts(name)), ...SITE_TEXTS[name] })

it.for<[name: string, wrong: RegExp]>([
  ['fr', /[^\u202F][;?!»]|[^\u202F]:|«[^\u202F]|'/],
  ['de', /[«»"']|[„“](?![^„“]*“)| [:;?!]/],
  ['es', / [:;?!]|["']|^[^¿]*\?|^[^¡]*!/],
  ['ja', /[:;?!,()]|\.(?!\w)/],
  ['zh-Hans', /[:;?!,()]|\.(?!\w)/],
])('the punctuation of %s is that of the language', ([name, wrong]) => {
  expect(allTexts(name).filter(([, text]) => wrong.test(text))).toEqual([])
})

it.for(['en', ...TRANSLATED])('no text in %s needs a developer', (name) => {
  const words = /\b(?:JWT|CORS|D1|HTTP|JavaScript|Worker|[Tt]oken|[Hh]eader|[A-Z]+_[A-Z]+|\d+ s)\b/
  expect(allTexts(name).filter(([, text]) => words.test(text))).toEqual([])
})
