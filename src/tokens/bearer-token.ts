/** Finds the access token in the headers of a request. */

import { VaultError } from '../errors.ts'

/** The token of an Authorization header (RFC 6750 §2.1). @throws VaultError `token_missing` */
export function bearerToken(authorization: string | null | undefined): string {
  const [, scheme, token] = /^(\S+) *(.*)$/.exec(authorization ?? '') ?? []
  if (scheme?.toLowerCase() === 'bearer' && token) return token
  const detail = scheme
    ? 'The Authorization header must be "Bearer", a space and the token.'
    : 'The Authorization header is missing.'
  throw new VaultError('token_missing', { detail })
}

/**
 * The token in the header `name`, with or without `Bearer` before it; null if the request has no such header.
 *
 * @throws VaultError `token_missing` if the header is there, and is something else
 */
export function namedToken(sent: Headers, name: string | null): string | null {
  const value = name === null ? null : sent.get(name)
  if (value === null) return null
  const [, token] = /^(?:bearer +)?(?!bearer$)(\S+)$/i.exec(value) ?? []
  if (token !== undefined) return token
  const detail = `The ${name} header must be the token, or "Bearer", a space and the token.`
  throw new VaultError('token_missing', { detail })
}

/** The token in the header `name`, otherwise in Authorization if `name` is null. @throws VaultError `token_missing` */
export function requestToken(sent: Headers, name: string | null): string {
  if (name === null) return bearerToken(sent.get('Authorization'))
  const token = namedToken(sent, name)
  if (token !== null) return token
  throw new VaultError('token_missing', { detail: `The ${name} header is missing.` })
}
