/** What people copy along with an API key: the key is found in it, and the rest is named. */

// Each repetition has a bound, so that no text takes long.

/** A name that an API key has in code, in a configuration file or in a header. */
const NAME = String.raw`[\w.-]{0,40}(?:_|key|token|secret|authorization)[\w.-]{0,40}`

/** What stands before a name where it is set. */
const DECLARED = String.raw`(?:(?:export|set|env|const|let|var)\s{1,8}|\$env:)?`

/** What is copied along, and where the key begins or ends in it. */
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
  // Without white space or a quote after it, a colon is part of the key: some are `id:secret`.
  ['its name', new RegExp(`^${NAME}["'\`]?\\s{0,8}:(?=[\\s"'\`])`, 'i')],
  ['a scheme such as Bearer', /^(?:bearer|basic|token|key|api[-_]?key)\s/i],
]
const MAX_ROUNDS = 8

/** A key that was copied with something around it. */
export interface PastedKey {
  /** The key alone. */
  key: string
  /** What is not the key, in words: `quotes and its name`. */
  extras: string
}

/** The key in `text`, which is trimmed; null if nothing else is in it. */
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
