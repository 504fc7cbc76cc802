/** Which language the element speaks, and its texts, from where this script came from. */

import { findLanguage, parseLocale } from './language-tag.ts'
import { Language, type KnownTexts } from './language.ts'
import { ENGLISH, type Texts } from './texts.ts'

/** The element waits no longer than this for the texts of a language. */
const LIMIT_MS = 5_000

const loading = new Map<string, Promise<KnownTexts>>()

/** Whether the element has texts of its own in the language. All of these languages are written from left to right. */
export function isBuiltIn(name: string): boolean {
  return name === 'en' || TRANSLATED.includes(name)
}

/**
 * The language asked for by `tag`, with the application's own `texts` before any other. English if there is
 * no better one, or its texts do not load.
 */
export async function loadLanguage(tag: string, texts: Partial<Texts> | null): Promise<Language> {
  const name = findLanguage(tag, ['en', ...TRANSLATED])
  const loaded = name === 'en' ? {} : await (name && loadTexts(name))
  if (name && loaded) return new Language(name, { ...loaded, ...texts }, tag)
  // An application with texts of its own speaks the language that it names.
  return texts !== null && parseLocale(tag) !== null
    ? new Language(tag, texts)
    : new Language('en', texts ?? {})
}

/** The language with what only some panels say. @throws Error if that does not load */
export async function learnPanelTexts(language: Language): Promise<Language> {
  const { tag } = language
  return language.with(await loadFile(`panels.${isBuiltIn(tag) ? tag : 'en'}`))
}

async function loadTexts(name: string): Promise<KnownTexts | null> {
  return loadFile(name).catch((error: unknown) => {
    console.warn(`Texts in "${name}" did not load. English is shown.`, error)
    return null
  })
}

async function loadFile(name: string): Promise<KnownTexts> {
  const texts = loading.get(name) ?? fetchFile(name)
  loading.set(name, texts)
  return texts.catch((error: unknown) => {
    loading.delete(name)
    throw error
  })
}

/** @throws Error if the texts do not come, or are those of another version */
async function fetchFile(name: string): Promise<KnownTexts> {
  const url = new URL(`./api-key-settings.${name}.json`, import.meta.url)
  const signal = AbortSignal.timeout(LIMIT_MS)
  const response = await fetch(url, { credentials: 'omit', signal })
  const [version, texts]: [string, string | KnownTexts] = await response.json()
  if (version !== TEXTS_VERSION) throw new Error('Another version')
  if (typeof texts !== 'string') return texts
  const all = texts.split('|')
  return Object.fromEntries(Object.keys(ENGLISH).map((text, index) => [text, all[index]]))
}
