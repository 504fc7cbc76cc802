/** What a user id can be: one rule for tokens, imports, commands and the binding. */

/** In UTF-16 code units. */
const MAX_LENGTH = 2_000

/**
 * What is wrong with `userId`, as the end of a sentence; null if nothing is. URLs drop a path segment of
 * one or two dots (RFC 3986 §5.2.4), and D1 does not give lone surrogates back.
 */
export function nameUserIdFault(userId: string): string | null {
  if (userId === '') return 'is empty'
  if (userId.length > MAX_LENGTH) return `is over ${MAX_LENGTH.toLocaleString('en')} characters`
  if (userId === '.' || userId === '..') return 'is "." or "..", which no URL can name'
  return userId.isWellFormed() ? null : 'is not well-formed Unicode'
}
