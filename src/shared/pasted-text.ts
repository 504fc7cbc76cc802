/** Finds an API key in a pasted text, and names what was copied with it. */

// Each repetition has a limit, so that no text takes long to match.

/** The name of an API key in code, in a configuration file or in a header. */
const NAME = String.raw`[\w.-]{0,40}(?:_|key|token|secret|authorization)[\w.-]{0,40}`

/** What stands before the name in an assignment. */
const DECLARED = String.raw`(?:(?:export|set|env|const|let|var)\s{1,8}|\$env:)?`

/** What people copy with a key, in words. */
export const EXTRA_WORDS = {
  invisible_characters: 'invisible characters',
  quotes: 'quotes',
  brackets: 'brackets',
  braces: 'braces',
  line_break: 'a written line break',
  punctuation: 'punctuation',
  comment: 'a comment',
  option: 'a command-line option',
  name: 'its name',
  scheme: 'a scheme such as Bearer',
}

/** Why a text is not a key, although a key is in it: what was copied along. */
export type ExtrasReason = keyof typeof EXTRA_WORDS

/** A pattern that removes each of them. */
const EXTRAS: readonly [reason: ExtrasReason, around: RegExp][] = [
  ['invisible_characters', /[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u2064\uFEFF]/g],
  ['quotes', /^["'`‘’‚“”„«»]{1,8}|["'`‘’‚“”„«»]{1,8}$/g],
  ['brackets', /^<(?=.*>$)|>$(?<=^<.*)|^\((?=.*\)$)|\)$(?<=^\(.*)|^\[(?=.*\]$)|\]$(?<=^\[.*)/g],
  ['braces', /^\{(?=.*\}$)|\}$(?<=^\{.*)/gs],
  ['line_break', /(?:\\[nrt]){1,8}$/],
  ['punctuation', /[,;]{1,8}$/],
  ['comment', /\s(?:#|\/\/).{0,200}$/],
  ['option', /^(?:-H|--header)\s/],
  ['name', new RegExp(`^${DECLARED}${NAME}["'\`]?\\s{0,8}=\\s{0,8}(?=[^=\\s])`, 'i')],
  ['name', new RegExp(`^setx\\s${NAME}\\s`, 'i')],
  // A colon without white space or a quote after it is part of the key, as in `id:secret`.
  ['name', new RegExp(`^${NAME}["'\`]?\\s{0,8}:(?=[\\s"'\`])`, 'i')],
  ['scheme', /^(?:bearer|basic|token|key|api[-_]?key)\s/i],
]
const MAX_ROUNDS = 8

/** A key, and what was copied with it. */
export interface PastedKey {
  /** The key alone. */
  key: string
  /** The rest, in the order in which it was found. */
  extras: readonly [ExtrasReason, ...ExtrasReason[]]
}

/** Finds the key in the trimmed `text`. Returns null if `text` holds nothing else. */
export function findPastedKey(text: string): PastedKey | null {
  const extras = new Set<ExtrasReason>()
  let key = text
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const before = key
    for (const [reason, around] of EXTRAS) {
      const shorter = key.replace(around, '').trim()
      if (shorter !== key) extras.add(reason)
      key = shorter
    }
    if (key === before) break
  }
  const [first, ...others] = extras
  return first === undefined ? null : { key, extras: [first, ...others] }
}

/** Whether the reason is that something was copied along. */
export function isExtra(reason: string): boolean {
  return EXTRAS.some(([extra]) => extra === reason)
}

/** Extras in words, such as `quotes and its name`. */
export function nameExtras(extras: readonly ExtrasReason[]): string {
  return new Intl.ListFormat('en').format(extras.map((extra) => EXTRA_WORDS[extra]))
}
