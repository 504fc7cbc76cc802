/** What an API key can be as a text, said alike by the service and the page that sends it. */

import { findPastedKey } from './pasted-text.ts'

/** In UTF-16 code units. */
const MAX_LENGTH = 8_192

/** What a preview or a password field puts in the place of characters, and no key holds. */
const MASK = /\.{3}|\*{3}|[…⋯•●∙·]/u

/** A Fernet token, by its version and the first bytes of its time: https://github.com/fernet/spec */
const FERNET_TOKEN = /^gAAAA[\w-]{95,}={0,2}$/

/**
 * Credentials that are not sent in a header, and what to send instead. A stored key goes into one header
 * of a request: a document never works there, and its private key would leave its owner's hands for
 * nothing.
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
 * What is wrong with `key`, which is trimmed already, as a sentence about `name` that holds no
 * character of it; null if nothing is.
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

/** Whether a stored text can be sent as a key: of old, more was stored than is accepted today. */
export function isKey(text: string): boolean {
  return /^[!-~]+$/.test(text) && !FERNET_TOKEN.test(text)
}

function nameOtherCredential(text: string): string | null {
  return OTHER_CREDENTIALS.find(([pattern]) => pattern.test(text))?.[1] ?? null
}

/** The key in a text that has more in it; null if the text is a key, or no key is found in it. */
export function findKeyAlone(text: string): string | null {
  const key = findPastedKey(text)?.key
  if (key === undefined || /["{}]/.test(key) || nameOtherCredential(text) !== null) return null
  return nameKeyFault(key, '') === null ? key : null
}
