/** Finds an API key in a text of its provider, in each form in which the text may hold it. */

/** Where a text holds the key, or a part of it. */
export interface Span {
  start: number
  end: number
}

/** A text as it came or after decoding, and where each of its characters begins in the text as it came. */
interface Reading {
  text: string
  at: (index: number) => number
}

/** An encoding that hides characters. Each match stands for one character, or for none. */
interface Escape {
  pattern: RegExp
  /** The beginning of a match, at the end of a text. */
  partial: RegExp
  decode: (match: string) => string
}

const charOf = (code: string): string => String.fromCharCode(Number(code))

/** Strings of JSON (RFC 8259 §7) and JavaScript. Each control character separates words, as a space does. */
const JSON_STRING: Escape = {
  pattern: /\\(?:u[\da-f]{4}|x[\da-f]{2}|.)/gis,
  partial: /\\(?:u[\da-f]{0,3}|x[\da-f]?)?$/i,
  decode: (match) =>
    match.length > 2 ? charOf(`0x${match.slice(2)}`) : match.slice(1).replace(/[bfnrtv]/, ' '),
}

/** RFC 3986 §2.1. It decodes only ASCII, since a key has no other characters. */
const PERCENT: Escape = {
  pattern: /%[\da-f]{2}/gi,
  partial: /%[\da-f]?$/i,
  decode: (match) => charOf(`0x${match.slice(1)}`),
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Character references of HTML: https://html.spec.whatwg.org/#character-references */
const HTML: Escape = {
  pattern: /&(?:#x[\da-f]{1,8}|#\d{1,8}|amp|lt|gt|quot|apos);/gi,
  partial: /&(?:#?\w{0,9})?$/,
  decode: (match) => {
    const name = match.slice(1, -1).toLowerCase()
    return ENTITIES[name] ?? charOf(name.replace('#', '').replace('x', '0x'))
  },
}

/** ASCII in UTF-16, read as single bytes. */
const UTF_16: Escape = { pattern: /\0/g, partial: /(?!)/, decode: () => '' }

/**
 * What a text is decoded from, one after the other. A quoted document or URL is encoded twice. A key may hold a backslash,
 * so a page is also read before the strings in it.
 */
const CHAINS = [
  [UTF_16, JSON_STRING, JSON_STRING, PERCENT, PERCENT, HTML, JSON_STRING],
  [UTF_16, HTML, JSON_STRING, PERCENT],
]

/** A shorter key can occur in a text by chance. */
export const MIN_SEARCHED_LENGTH = 8

/** What separates a short key from other words. A sentence may end after it. */
const WORDS = /[^\s,;:="'&?<>()[\]{}]+/g

/**
 * Returns a function that finds the key in a text: as it is, in hex, and in base64 or base64url at any offset, regardless
 * of case, and each of these also percent-encoded, in a JSON string, in HTML or in UTF-16. A key under 8 characters is
 * found only as a separate word. In a text that `isCut`, it also finds the beginning of a key at the end.
 *
 * The time that it takes is proportional to the lengths of the text and the key, whatever they hold.
 */
export function keySearch(apiKey: string): (text: string, isCut?: boolean) => Span[] {
  const find = apiKey.length < MIN_SEARCHED_LENGTH ? wordFinder(apiKey) : formFinder(apiKey)
  return (text, isCut = false) => {
    const spans = readingsOf(text, isCut).flatMap((reading) =>
      find(reading.text, isCut).map(({ start, end }) => ({
        start: reading.at(start),
        // What was cut off after the last character may belong to the key.
        end: isCut && end === reading.text.length ? text.length : reading.at(end),
      })),
    )
    return spans.length < 2 ? spans : merge(spans)
  }
}

/** The text as it came, and after each decoding that changes it. */
function readingsOf(text: string, isCut: boolean): Reading[] {
  const received: Reading = { text, at: (index) => index }
  if (!/[\\%&\0]/.test(text)) return [received]
  return [received, ...CHAINS.flatMap((escapes) => readOn(received, escapes, isCut))]
}

/** Decodes a text in steps. It returns what each step that changes the text makes of it. */
function readOn(start: Reading, escapes: readonly Escape[], isCut: boolean): Reading[] {
  const readings: Reading[] = []
  let last = start
  for (const escape of escapes) {
    if (last.text.search(escape.pattern) < 0 && !(isCut && escape.partial.test(last.text))) continue
    last = decode(last, escape, isCut)
    readings.push(last)
  }
  return readings
}

function decode({ text, at }: Reading, { pattern, partial, decode: read }: Escape, isCut: boolean) {
  const encoded = isCut ? text.replace(partial, '') : text
  const origins = new Uint32Array(encoded.length + 1)
  let [length, from] = [0, 0]
  const copyTo = (to: number) => {
    while (from < to) origins[length++] = from++
  }
  const decoded = encoded.replace(pattern, (match, index: number) => {
    copyTo(index)
    const character = read(match)
    if (character !== '') origins[length++] = index
    from = index + match.length
    return character
  })
  copyTo(encoded.length)
  origins[length] = encoded.length
  return { text: decoded, at: (index: number) => at(origins[index] ?? encoded.length) }
}

/** Finds the key as a word, in its own case. */
function wordFinder(apiKey: string) {
  return (text: string, isCut: boolean): Span[] =>
    Array.from(text.matchAll(WORDS)).flatMap(({ 0: word, index: start }) => {
      const isBeginning = isCut && start + word.length === text.length && apiKey.startsWith(word)
      if (isBeginning) return [{ start, end: text.length }]
      const isKey = word === apiKey || word === `${apiKey}.`
      return isKey ? [{ start, end: start + apiKey.length }] : []
    })
}

/** What may hold a key in hex or in base64, which have no fewer characters than the key. */
const RUNS = /[\w+/-]{8,}/g

function formFinder(apiKey: string) {
  const key = apiKey.toLowerCase()
  let forms: Forms | undefined
  return (text: string, isCut: boolean): Span[] => {
    // The one character whose lower case is longer.
    const lower = text.replaceAll('\u0130', ' ').toLowerCase()
    const found = occurrences(key, lower, isCut)
    const isLong = (run: string) => run.length >= key.length
    if (!isCut && lower.match(RUNS)?.some(isLong) !== true) return found
    const { hex, base64 } = (forms ??= encodeForms(apiKey))
    const standard = lower.replaceAll('-', '+').replaceAll('_', '/')
    return [
      ...found,
      ...occurrences(hex, lower, isCut),
      ...base64.flatMap((form) => occurrences(form, standard, isCut)),
    ]
  }
}

/** The forms of a key in lower case. */
interface Forms {
  hex: string
  /** At each offset. */
  base64: string[]
}

function encodeForms(apiKey: string): Forms {
  const bytes = new TextEncoder().encode(apiKey)
  const shifted = new Uint8Array(2 + bytes.length)
  shifted.set(bytes, 2)
  const base64 = [0, 1, 2].map((offset) => base64At(offset, shifted).toLowerCase())
  return { hex: bytes.toHex(), base64 }
}

/** The base64 of bytes after `offset` other ones, of two that come first, without the characters that depend on other bytes. */
function base64At(offset: number, shifted: Uint8Array): string {
  const bytes = shifted.subarray(2 - offset)
  const encoded = bytes.toBase64()
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6))
}

/** The runtime first looks for this much of a form. Its search takes the product of both lengths, so this is short. */
const GLANCE = 16

/**
 * Where `form` is in `text`. Occurrences that overlap are one span. In a text that `isCut`, the longest beginning of `form` at
 * its end is one too.
 */
function occurrences(form: string, text: string, isCut: boolean): Span[] {
  if (!isCut && !text.includes(form.slice(0, GLANCE))) return []
  const next = matcher(form)
  const spans: Span[] = []
  let matched = 0
  for (let end = 1; end <= text.length; end += 1) {
    matched = next(matched, text.charCodeAt(end - 1))
    const isFound = matched === form.length || (isCut && end === text.length && matched > 0)
    if (isFound) addSpan(spans, { start: end - matched, end })
  }
  return spans
}

/**
 * Searches by the algorithm of Knuth, Morris and Pratt, whose time is linear. The function gets the number of characters of
 * `form` with which the text ends so far, and the next character. It returns that number for the text with the character.
 */
function matcher(form: string): (matched: number, code: number) => number {
  /** For each number of matched characters, the length of the longest shorter beginning of `form` that they end with. */
  const fallbacks = new Uint32Array(form.length + 1)
  const next = (before: number, code: number): number => {
    let matched = before
    while (matched > 0 && form.charCodeAt(matched) !== code) matched = fallbacks[matched] ?? 0
    return form.charCodeAt(matched) === code ? matched + 1 : matched
  }
  for (let length = 2; length <= form.length; length += 1) {
    fallbacks[length] = next(fallbacks[length - 1] ?? 0, form.charCodeAt(length - 1))
  }
  return next
}

/** Adds a span that begins no earlier than the others. */
function addSpan(spans: Span[], span: Span): void {
  const last = spans.at(-1)
  if (last === undefined || last.end <= span.start) spans.push(span)
  else last.end = Math.max(last.end, span.end)
}

function merge(spans: readonly Span[]): Span[] {
  const merged: Span[] = []
  const inOrder = spans.toSorted((one, other) => one.start - other.start)
  for (const span of inOrder) addSpan(merged, { ...span })
  return merged
}
