import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { TRANSLATED } from '../../../scripts/lib/element.ts'
import { ENGLISH, TEXTS } from '../../../src/page/site/texts.ts'

/** The placeholders of a text. */
const valuesOf = (text: string) => [...new Set(text.match(/\{\w+\}/g))].toSorted()

it('the page has texts in each language of the element', () => {
  expect(Object.keys(TEXTS).toSorted()).toEqual(['en', ...TRANSLATED].toSorted())
})

it.for(Object.entries(TEXTS))(
  'the language %s has every text, with its placeholders',
  ([, texts]) => {
    expect(Object.keys(texts)).toEqual(Object.keys(ENGLISH))
    const values = Object.entries(texts).map(([name, text]) => [name, valuesOf(text)])
    expect(values).toEqual(Object.entries(ENGLISH).map(([name, text]) => [name, valuesOf(text)]))
    expect(Object.values(texts).filter((text) => text.trim() === '')).toEqual([])
  },
)

it.for(Object.entries(TEXTS))('no text in %s is for whoever runs the application', ([, texts]) => {
  const forOperators = /wrangler|npm|JWT|OIDC|\bsub\b|token/i
  expect(Object.values(texts).filter((text) => forOperators.test(text))).toEqual([])
})

it('index.html has the English texts, for a browser that does not run scripts', () => {
  const html = readFileSync('src/page/site/index.html', 'utf8')
  const shown = Array.from(
    html.matchAll(/data-text="(?<name>\w+)">(?<text>[^<]+)</g),
    ({ groups }) => [groups?.['name'], groups?.['text']?.replaceAll(/\s+/g, ' ').trim()],
  )
  const english = new Map(Object.entries(ENGLISH))
  expect(shown).toEqual(shown.map(([name = '']) => [name, english.get(name)]))
  expect(shown.length).toBe(html.split('data-text=').length - 1)
})
