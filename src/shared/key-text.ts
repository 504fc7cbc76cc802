/** Which texts can be an API key. The service and the page that sends a key say the same. */

import { findPastedKey, nameExtras, type ExtrasReason } from './pasted-text.ts'

/** In UTF-16 code units. */
const MAX_LENGTH = 8_192

/** What a preview or a password field shows instead of characters. No key holds it. */
const MASK = /\.{3}|\*{3}|[…⋯•●∙·]/u

/** A Fernet token, by its version and the first bytes of its time: https://github.com/fernet/spec */
const FERNET_TOKEN = /^gAAAA[\w-]{95,}={0,2}$/

const NOT_PRINTABLE = 'has a character that no key has (not printable ASCII), at character ….'

/**
 * What is wrong with a text without a key in it, as the end of a sentence about it. `…` stands for the position
 * or the limit.
 */
export const KEY_FAULTS = {
  empty: 'is empty.',
  too_long: 'is over … characters.',
  masked: 'is a masked preview, not the key itself: paste the whole key.',
  json: 'is a JSON document: send the API key alone.',
  service_account:
    'is a Google service account file, not an API key: create an API key for Vertex AI or Gemini.',
  aws_keys: 'holds AWS access keys, not an API key: create an Amazon Bedrock API key.',
  fernet_token: 'is a Fernet token, not an API key: decrypt it first.',
  pem: 'is a PEM file, not an API key: an API key is one line of text.',
  url: 'is a URL, not an API key.',
  placeholder: 'is a placeholder for a missing value.',
  white_space: 'has white space inside, at character ….',
  control: NOT_PRINTABLE,
  non_ascii: NOT_PRINTABLE,
}

type OtherReason = keyof typeof KEY_FAULTS

/** Why a value is not an API key: the reasons of `api_key_invalid`. They are published. */
export type KeyReason = 'not_a_string' | OtherReason | ExtrasReason

/**
 * Texts that are not an API key. A stored key goes into one header of a request: a document never works
 * there, and its private key would leave its owner's hands for nothing.
 */
const OTHER_TEXTS: readonly [RegExp, OtherReason][] = [
  [/"private_key"|"service_account"/, 'service_account'],
  [/"(?:aws_?)?(?:secret_?access_?key|access_?key_?id)"/i, 'aws_keys'],
  [FERNET_TOKEN, 'fernet_token'],
  [/^-----BEGIN /, 'pem'],
  [/^https?:\/\//i, 'url'],
  [/^(?:null|undefined|none|nan|true|false)$/i, 'placeholder'],
]

/** What is wrong with a text that was given as a key. It holds no character of the text. */
export type KeyFault =
  | {
      reason: OtherReason
      /** The first wrong character, in code points from 0. Only for `white_space`, `control` and `non_ascii`. */
      index?: number
    }
  /** The key is in the text. `extras` has all that is around it, and `reason` the first. */
  | { reason: ExtrasReason; extras: readonly ExtrasReason[] }

/** What is wrong with `key`, which is trimmed; null if nothing is. */
export function findKeyFault(key: string): KeyFault | null {
  if (key === '') return { reason: 'empty' }
  if (key.length > MAX_LENGTH) return { reason: 'too_long' }
  const other = findOtherText(key)
  if (other !== null) return { reason: other }
  if (MASK.test(key)) return { reason: 'masked' }
  const pasted = findPastedKey(key)
  if (pasted !== null && /^[[{]/.test(key) && /["{}]/.test(pasted.key)) return { reason: 'json' }
  if (pasted !== null && !/\s/.test(pasted.key)) {
    return { reason: pasted.extras[0], extras: pasted.extras }
  }
  return findWrongCharacter(key)
}

function findWrongCharacter(key: string): KeyFault | null {
  if (/^[!-~]*$/.test(key)) return null
  const characters = Array.from(key)
  const space = characters.findIndex((character) => /\s/.test(character))
  if (space >= 0) return { reason: 'white_space', index: space }
  const index = characters.findIndex((character) => /[^!-~]/.test(character))
  const isControl = /\p{Cc}/u.test(characters[index] ?? '')
  return { reason: isControl ? 'control' : 'non_ascii', index }
}

/** What is wrong with `key`, which is trimmed, as a sentence about `name`; null if nothing is. */
export function nameKeyFault(key: string, name: string): string | null {
  const fault = findKeyFault(key)
  if (fault === null) return null
  if ('extras' in fault)
    return `${name} comes with ${nameExtras(fault.extras)}: send the key alone.`
  const { reason, index } = fault
  // Only on demand: to write a number for people takes 20 µs.
  const value = () => (index === undefined ? MAX_LENGTH.toLocaleString('en') : String(index + 1))
  return `${name} ${KEY_FAULTS[reason].replace('…', value)}`
}

/** Whether a stored text can be sent as a key. An imported one may be something else. */
export function isKey(text: string): boolean {
  return /^[!-~]+$/.test(text) && !FERNET_TOKEN.test(text)
}

function findOtherText(text: string): OtherReason | null {
  return OTHER_TEXTS.find(([pattern]) => pattern.test(text))?.[1] ?? null
}

/** The key in a text that has more in it; null if the text is a key, or no key is found in it. */
export function findKeyAlone(text: string): string | null {
  const key = findPastedKey(text)?.key
  if (key === undefined || /["{}]/.test(key) || findOtherText(text) !== null) return null
  return findKeyFault(key) === null ? key : null
}

/** What a user may see of a key: its first 8 characters, if it is longer. */
export function previewKey(apiKey: string): string {
  const codePoints = Array.from(apiKey.slice(0, 18))
  return codePoints.length > 8 ? `${codePoints.slice(0, 8).join('')}...` : '****'
}
