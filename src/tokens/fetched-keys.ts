/** Fetches the keys of an identity provider. */

import type { JWK } from 'jose'
import { isJsonObject } from '../shared/json.ts'
import { sortKeys, type DroppedKey } from './public-key.ts'

export const FETCH_TIMEOUT_MS = 5_000

/**
 * The keys of the set at `url` that verify tokens. `onDropped` gets the others.
 *
 * @throws Error if there are none, or if the answer is not a key set (RFC 7517 §5)
 */
export async function fetchKeys(
  url: URL,
  onDropped: (dropped: DroppedKey[]) => void,
): Promise<JWK[]> {
  const { usable, dropped } = await sortKeys(await fetchSet(url))
  onDropped(dropped)
  if (usable.length === 0) throw new Error('JWT_JWKS_URL has no key that verifies a token')
  return usable
}

async function fetchSet(url: URL): Promise<unknown[]> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  const response = await fetch(url, { redirect: 'manual', signal })
  if (response.status !== 200)
    throw new Error(`JWT_JWKS_URL answered with status ${response.status}`)
  const body = await response.json()
  if (isJsonObject(body) && Array.isArray(body['keys'])) return body['keys']
  throw new Error('JWT_JWKS_URL did not answer with a key set')
}
