/** The rules for the text of an API key. The service and the page share them. */

import { findPastedKey } from './pasted-text.ts'

/** In UTF-16 code units. */
const MAX_LENGTH = 8_192

/** Characters that a preview or a password field shows instead of the key's own. No key holds them. */
const MASK = /\.{3}|\*{3}|[…⋯•●∙·]/u

/** A Fernet token begins with its version and the first bytes of its time: https://github.com/fernet/spec */
const FERNET_TOKEN = /^gAAAA[\w-]{95,}={0,2}$/

/**
 * Credentials that cannot be sent in a header, and what to send instead. A stored key goes into one header
 * of a request. A document never works there, and saving one would give away its private key for nothing.
 */
const OTHER_CREDENTIALS: readonly [RegExp, string][] = [
  [
    /"private_key"|"service_account"/,
    'is a Google service account file, not an API key: create an API key for Vertex AI or Gemini.',
  ],
  [
    /"(?:aws_?)?(?:secret_?access_?key|access_?key_?id)"/i,
    'holds AWS access keys, not an API key: create an Amazon Bedrock API key.',
  ],
  [FERNET_TOKEN, 'is a Fernet token, not an API key: decrypt it first.'],
  [/^-----BEGIN /, 'is a PEM file, not an API key: an API key is one line of text.'],
  [/^https?:\/\//i, 'is a URL, not an API key.'],
  [/^(?:null|undefined|none|nan|true|false)$/i, 'is a placeholder for a missing value.'],
]

/**
 * Returns what is wrong with the trimmed `key`, as a sentence about `name` that quotes no character of
 * the key; null if nothing is wrong.
 */
export function nameKeyFault(key: string, name: string): string | null {
  if (key === '') return `${name} is empty.`
  if (key.length > MAX_LENGTH) {
    return `${name} is over ${MAX_LENGTH.toLocaleString('en')} characters.`
  }
  const other = nameOtherCredential(key)
  if (other !== null) return `${name} ${other}`
  if (MASK.test(key)) {
    return `${name} is a masked preview, not the key itself: paste the whole key.`
  }
  const pasted = findPastedKey(key)
  if (pasted !== null && /^[[{]/.test(key) && /["{}]/.test(pasted.key)) {
    return `${name} is a JSON document: send the API key alone.`
  }
  if (pasted !== null && !/\s/.test(pasted.key)) {
    return `${name} comes with ${pasted.extras}: send the key alone.`
  }
  const space = key.search(/\s/)
  if (space >= 0) return `${name} has white space inside, at character ${space + 1}.`
  const foreign = key.search(/[^!-~]/)
  if (foreign < 0) return null
  return `${name} has a character that no key has (not printable ASCII), at character ${foreign + 1}.`
}

/** Whether a stored text can be sent as a key. Older versions and backends stored more than is accepted today. */
export function isKey(text: string): boolean {
  return /^[!-~]+$/.test(text) && !FERNET_TOKEN.test(text)
}

function nameOtherCredential(text: string): string | null {
  return OTHER_CREDENTIALS.find(([pattern]) => pattern.test(text))?.[1] ?? null
}

/** The key in a text that holds more than a key; null if the text is a key, or holds none. */
export function findKeyAlone(text: string): string | null {
  const key = findPastedKey(text)?.key
  if (key === undefined || /["{}]/.test(key) || nameOtherCredential(text) !== null) return null
  return nameKeyFault(key, '') === null ? key : null
}
