/** Finds the API key in a command, a configuration file or code that somebody has pasted instead of the key. */

import { findKeyAlone, findKeyFault, type KeyFault } from '../../shared/key-text.ts'

// Each repetition has a limit, so that no text takes long to match.

/** A comment, which is ignored, up to the end of its line. */
const COMMENT = /(?:^|\s)(?:#|\/\/|rem\b).*$/gim

/** A name with its value after it, in an assignment, a header, an object, arguments or a query. */
const NAMED =
  /([\w.-]{1,80})["'`\\]{0,2}\s{0,8}[:=,]\s{0,8}(?=(?:\$?["'`\\]){0,3}(?:(?:bearer|basic|token|key)\s{1,8})?([\w.~+/:|-]{16,2048}={0,2})(?![^\s"'`\\,;&)}\]]))/gi

/** The names of credentials. */
const CREDENTIAL = /key|token|secret|authorization/i

/** Most services use UUIDs for what is not secret, such as an `Idempotency-Key`. */
const UUID = /^[\da-f]{8}(?:-[\da-f]{4,12}){4}$/i

/** The faults of texts that are not searched: they hold keys of another kind, or are too long. */
const NO_SOURCE = /^(?:service_account|aws_keys|pem|too_long)$/

/**
 * Finds the key in a text that has more in it. Of several candidates, it is the only one that begins as API keys do. Returns
 * null if the text has no key, or if the choice would be a guess.
 */
export function findKeyIn(text: string, beginnings: readonly string[]): string | null {
  const trimmed = text.trim()
  const alone = findKeyAlone(trimmed)
  if (alone !== null || NO_SOURCE.test(findKeyFault(trimmed)?.reason ?? '')) return alone
  const found = new Set<string>()
  for (const [, name = '', value = ''] of trimmed.replace(COMMENT, '').matchAll(NAMED)) {
    // Most names of variables and placeholders have no digit.
    const canBeKey = /\d/.test(value) && !UUID.test(value) && findKeyFault(value) === null
    if (CREDENTIAL.test(name) && canBeKey) found.add(value)
  }
  const known = [...found].filter((value) => beginnings.some((each) => value.startsWith(each)))
  const [key = null, ...others] = known.length > 0 ? known : found
  return others.length > 0 ? null : key
}

/** The lines of a text in one, without comments, for a field that holds one line. */
export function joinLines(text: string): string {
  return text.replace(COMMENT, '').replaceAll(/\s+/g, ' ').trim()
}

/** What is wrong with a text that is given as a key, which is trimmed; null if nothing is. */
export function findTextFault(text: string, beginnings: readonly string[]): KeyFault | null {
  const fault = findKeyFault(text)
  if (fault === null || 'extras' in fault || findKeyIn(text, beginnings) === null) return fault
  return { reason: 'name', extras: ['name'] }
}

/** The owners whose keys begin as `key` does, by the longest beginning that is known; empty if no beginning fits. */
export function findLikely<T>(
  key: string,
  owners: readonly T[],
  beginningsOf: (owner: T) => readonly string[],
): T[] {
  const lengths = owners.map((owner) =>
    Math.max(0, ...beginningsOf(owner).map((each) => (key.startsWith(each) ? each.length : 0))),
  )
  const longest = Math.max(0, ...lengths)
  return longest === 0 ? [] : owners.filter((_owner, index) => lengths[index] === longest)
}
