/** Which language the element speaks, and its texts, from where this script came from. */

import { Language, type KnownTexts } from './language.ts'
import { ENGLISH, type Texts } from './texts.ts'

/** Those with a file of texts, which scripts/build.ts makes: `api-key-settings.<language>.json`. */
const TRANSLATED: readonly string[] = ['de', 'es', 'fr', 'ja', 'zh-Hans']

/** An application does not stay without words for longer than this. */
const LIMIT_MS = 5_000

const loading = new Map<string, Promise<KnownTexts>>()

/** Whether the element has texts of its own in the language. All of these are written from left to right. */
export function isBuiltIn(name: string): boolean {
  return name === 'en' || TRANSLATED.includes(name)
}

/** The language that is spoken to whoever asks for `tag`; `en` if there is no better one. */
export function matchLanguage(tag: string): string {
  const locale = parseLocale(tag)
  return TRANSLATED.find((name) => name === locale?.language || name === locale?.script) ?? 'en'
}

/** `zh-Hant`, which is not simplified, has no match. */
function parseLocale(tag: string): { language: string; script: string } | null {
  try {
    const { language, script } = new Intl.Locale(tag).maximize()
    return { language, script: `${language}-${script}` }
  } catch {
    return null
  }
}

/**
 * The language asked for by `tag`, with the application's own `texts` before any other. English if its
 * texts do not come.
 */
export async function loadLanguage(tag: string, texts: Partial<Texts> | null): Promise<Language> {
  const name = matchLanguage(tag)
  const loaded = name === 'en' ? {} : await loadTexts(name)
  const isAsked = loaded !== null && parseLocale(tag)?.language === name.slice(0, 2)
  // An application with texts of its own speaks the language that it names.
  if (texts !== null && !isAsked && tag !== '') return new Language(tag, texts)
  return isAsked
    ? new Language(name, { ...loaded, ...texts }, tag)
    : new Language('en', texts ?? {})
}

async function loadTexts(name: string): Promise<KnownTexts | null> {
  const texts = loading.get(name) ?? fetchTexts(name)
  loading.set(name, texts)
  return texts.catch((error: unknown) => {
    loading.delete(name)
    console.warn(`The key settings are in English: their texts in "${name}" did not load.`, error)
    return null
  })
}

/** @throws Error if they do not come, or are those of another version */
async function fetchTexts(name: string): Promise<KnownTexts> {
  const url = new URL(`api-key-settings.${name}.json`, import.meta.url)
  const signal = AbortSignal.timeout(LIMIT_MS)
  const response = await fetch(url, { credentials: 'omit', signal })
  const [version, ...texts]: string[] = await response.json()
  if (version !== TEXTS_VERSION) throw new Error('Another version')
  return Object.fromEntries(Object.keys(ENGLISH).map((text, index) => [text, texts[index]]))
}
