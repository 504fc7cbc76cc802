/** What an API key can be as a text, said alike by the service and the page that sends it. */

/** In UTF-16 code units. */
const MAX_LENGTH = 8_192

/** What a preview or a password field puts in the place of characters, and no key holds. */
const MASK = /\.{3}|\*{3}|[…⋯•●∙·]/u

/**
 * What is wrong with `key`, which is trimmed already, as a sentence about `name` that holds no
 * character of it; null where nothing is.
 */
export function nameKeyFault(key: string, name: string): string | null {
  if (key === '') return `${name} is empty.`
  if (key.length > MAX_LENGTH) {
    return `${name} is over ${MAX_LENGTH.toLocaleString('en')} characters.`
  }
  if (MASK.test(key)) {
    return `${name} is a masked preview, not the key itself: paste the whole key.`
  }
  const space = key.search(/\s/)
  if (space >= 0) return `${name} has white space inside, at character ${space + 1}.`
  const foreign = key.search(/[^!-~]/)
  if (foreign < 0) return null
  return `${name} has a character that no key has (not printable ASCII), at character ${foreign + 1}.`
}
