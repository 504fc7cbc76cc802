/** Where a request to the relay goes at its provider. */

import { VaultError } from '../errors.ts'

const ROUTE = /^[^/]*\/\/[^/]*(\/relay\/[^/?]*)(\/[^?]*)?(\?.*)?$/

/** A request's address, split where the provider's path begins. */
export interface RelayTarget {
  /** The path of the provider's root on the vault: `/relay/openai`. */
  root: string
  /** The path and the query at the provider, byte for byte. */
  path: string
}

/**
 * Splits the URL of a request to `/relay/:provider/*`.
 *
 * @throws VaultError `origin_not_allowed` if a `..` would leave the path at the provider
 */
export function splitTarget(url: string): RelayTarget {
  const [, root, path = '/', query = ''] = ROUTE.exec(url) ?? []
  if (root === undefined || hasDots(path)) throw new VaultError('origin_not_allowed')
  return { root, path: path + query }
}

/** Whether a segment is `.` or `..`, also percent-encoded (RFC 3986 §6.2.2.3), between either slash. */
function hasDots(path: string): boolean {
  const decoded = path.replaceAll(/%2e/gi, '.').replaceAll(/%(?:2f|5c)|\\/gi, '/')
  return decoded.split('/').some((segment) => segment === '.' || segment === '..')
}
