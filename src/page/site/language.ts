/** The language of the page: the first one that the browser asks for, and that the page has texts in. */

import { findLanguage } from '../element/language-tag.ts'
import { ENGLISH, TEXTS, type TextName } from './texts.ts'

/** @param asked language tags, the most wanted first */
export function chooseLanguage(asked: readonly string[]) {
  for (const tag of asked) {
    const name = findLanguage(tag, Object.keys(TEXTS))
    if (name !== undefined) return { tag, texts: TEXTS[name] ?? ENGLISH }
  }
  return { tag: 'en', texts: ENGLISH }
}

const { tag, texts } = chooseLanguage(navigator.languages)

/** The text in the language of the page. */
export function say(name: TextName, values: Record<string, string> = {}): string {
  return texts[name].replace(/\{(\w+)\}/g, (_placeholder, key: string) => values[key] ?? '')
}

/** Says what is in index.html in the language of the page. The settings element follows `<html lang>`. */
export function translatePage(): void {
  document.documentElement.lang = tag
  for (const [name, text] of Object.entries(texts)) {
    for (const element of document.querySelectorAll(`[data-text=${name}]`)) {
      element.textContent = text
    }
  }
}
