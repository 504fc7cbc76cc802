/** Finds the access token in an Authorization header. */

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
