/** Finds an API key in a pasted text, and names what was copied with it. */

// Each repetition has a limit, so that no text takes long to match.

/** The name of an API key in code, in a configuration file or in a header. */
const NAME = String.raw`[\w.-]{0,40}(?:_|key|token|secret|authorization)[\w.-]{0,40}`

/** What stands before the name in an assignment. */
const DECLARED = String.raw`(?:(?:export|set|env|const|let|var)\s{1,8}|\$env:)?`

/** What people copy with a key, and a pattern that removes it. */
const EXTRAS: readonly [what: string, around: RegExp][] = [
  ['invisible characters', /[\u00AD\u200B-\u200F\u202A-\u202E\u2060-\u2064\uFEFF]/g],
  ['quotes', /^["'`‘’‚“”„«»]{1,8}|["'`‘’‚“”„«»]{1,8}$/g],
  ['brackets', /^<(?=.*>$)|>$(?<=^<.*)|^\((?=.*\)$)|\)$(?<=^\(.*)|^\[(?=.*\]$)|\]$(?<=^\[.*)/g],
  ['braces', /^\{(?=.*\}$)|\}$(?<=^\{.*)/gs],
  ['a written line break', /(?:\\[nrt]){1,8}$/],
  ['punctuation', /[,;]{1,8}$/],
  ['a comment', /\s(?:#|\/\/).{0,200}$/],
  ['a command-line option', /^(?:-H|--header)\s/],
  ['its name', new RegExp(`^${DECLARED}${NAME}["'\`]?\\s{0,8}=\\s{0,8}(?=[^=\\s])`, 'i')],
  ['its name', new RegExp(`^setx\\s${NAME}\\s`, 'i')],
  // A colon without white space or a quote after it is part of the key, as in `id:secret`.
  ['its name', new RegExp(`^${NAME}["'\`]?\\s{0,8}:(?=[\\s"'\`])`, 'i')],
  ['a scheme such as Bearer', /^(?:bearer|basic|token|key|api[-_]?key)\s/i],
]
const MAX_ROUNDS = 8

/** A key, and what was copied with it. */
export interface PastedKey {
  /** The key alone. */
  key: string
  /** The rest in words, such as `quotes and its name`. */
  extras: string
}

/** Finds the key in the trimmed `text`. Returns null if `text` holds nothing else. */
export function findPastedKey(text: string): PastedKey | null {
  const extras = new Set<string>()
  let key = text
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const before = key
    for (const [what, around] of EXTRAS) {
      const shorter = key.replace(around, '').trim()
      if (shorter !== key) extras.add(what)
      key = shorter
    }
    if (key === before) break
  }
  if (extras.size === 0) return null
  return { key, extras: new Intl.ListFormat('en').format(extras) }
}
