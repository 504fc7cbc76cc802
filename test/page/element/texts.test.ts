import { expect, it } from 'vitest'
import { TRANSLATED } from '../../../scripts/lib/element.ts'
import { PANEL_TEXTS } from '../../../src/page/element/panel-texts.ts'
import { ENGLISH } from '../../../src/page/element/texts.ts'
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
