/** Which of some languages a language tag asks for. */

/** With the script that the language is most likely written in; null if `tag` is malformed. */
export function parseLocale(tag: string): Intl.Locale | null {
  try {
    return new Intl.Locale(tag).maximize()
  } catch {
    return null
  }
}

/** The one of `names` that `tag` asks for, such as `zh-Hans` for `zh-CN`. */
export function findLanguage(tag: string, names: readonly string[]): string | undefined {
  const { language, script } = parseLocale(tag) ?? {}
  return names.find((name) => name === language || name === `${language}-${script}`)
}
