/** The rules for a user id in tokens, imports, commands and binding calls. */

/** In UTF-16 code units. */
const MAX_LENGTH = 2_000

/**
 * What is wrong with `userId`, as the end of a sentence; null if nothing is wrong. URLs drop a path segment
 * of one or two dots (RFC 3986 §5.2.4), and D1 does not return lone surrogates as they were.
 */
export function nameUserIdFault(userId: string): string | null {
  if (userId === '') return 'is empty'
  if (userId.length > MAX_LENGTH) return `is over ${MAX_LENGTH.toLocaleString('en')} characters`
  if (userId === '.' || userId === '..') return 'is "." or "..", which cannot be in a URL'
  return userId.isWellFormed() ? null : 'is not well-formed Unicode'
}
