/** A language that the element speaks: its texts, dates and lists. */

import { sayDuration } from '../../callers/browser/duration.ts'
import { fillText, type Values } from '../../callers/browser/texts.ts'
import { midnightsUntil } from './days.ts'
import { ENGLISH, type TextName } from './texts.ts'

/** English dates if the page does not name a country: the month has its name, so that nobody misreads it. */
const ENGLISH_DATES = 'en-GB'

/** Texts by their names. */
export type KnownTexts = Readonly<Partial<Record<string, string>>>

export { gapAfter } from '../../callers/browser/texts.ts'

const english: KnownTexts = ENGLISH

/** Says texts. A text that is missing is said in English. */
export class Language {
  /** For the attribute `lang`. */
  readonly tag: string
  readonly #texts: KnownTexts
  readonly #dates: string

  /** @param dates the well-formed tag of the dates, which may name a country too */
  constructor(tag: string, texts: KnownTexts = {}, dates = tag) {
    this.tag = tag
    this.#texts = texts
    this.#dates = dates === 'en' ? ENGLISH_DATES : dates
  }

  /** The same language with more texts. Those that it has stay. */
  with(texts: KnownTexts): Language {
    return new Language(this.tag, { ...texts, ...this.#texts }, this.#dates)
  }

  /** Whether there is a text of this name. */
  readonly knows = (name: string): name is TextName => name in this.#texts || name in english

  readonly say = (name: TextName, values?: Values): string =>
    fillText(this.#texts[name] ?? english[name] ?? '', values)
      // "An xAI key": the X is read as a letter.
      .replace(/\ba\(n\)(?= ([AEIOUaeiou]|x[A-Z])?)/g, (_article, vowel?: string) =>
        vowel === undefined ? 'a' : 'an',
      )

  /** `3 Nov 2026, 14:05`, in the reader's time zone. */
  readonly minute = (time: string): string =>
    new Date(time).toLocaleString(this.#dates, { dateStyle: 'medium', timeStyle: 'short' })

  /** `3 Nov 2026`, in the reader's time zone. */
  readonly day = (time: string): string =>
    new Date(time).toLocaleString(this.#dates, { dateStyle: 'medium' })

  /** `today`, `tomorrow`, `in 5 days`, by the reader's calendar. */
  readonly dayFromNow = (time: string): string =>
    new Intl.RelativeTimeFormat(this.#dates, { numeric: 'auto' }).format(
      midnightsUntil(time),
      'day',
    )

  /** `A, B or C`. */
  readonly list = (words: readonly string[]): string =>
    new Intl.ListFormat(this.#dates, { type: 'disjunction' }).format(words)

  /** `A, B, C`. */
  readonly names = (words: readonly string[]): string =>
    new Intl.ListFormat(this.#dates, { style: 'narrow' }).format(words)

  /** `60 seconds`, `5 minutes`. */
  readonly duration = (seconds: number): string => sayDuration(seconds, this.#dates)

  /** `1,000`. */
  readonly number = (value: number): string => value.toLocaleString(this.#dates)
}
