/** The keys that verify tokens: one shared secret, or an identity provider's key set. */

import { waitUntil } from 'cloudflare:workers'
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose'
import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import { isJsonObject } from '../shared/json.ts'
import { sortKeys, type DroppedKey } from './usable-keys.ts'

const MAX_AGE_MS = 600_000
const UNKNOWN_KID_COOLDOWN_MS = 30_000
const FAILURE_COOLDOWN_MS = 5_000
const FETCH_TIMEOUT_MS = 5_000

/** The key of a shared secret. It is imported at its first use. */
export function sharedSecret(secret: string): JWTVerifyGetKey {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const bytes = new TextEncoder().encode(secret)
  let key: CryptoKey | undefined
  return async () => (key ??= await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']))
}

/**
 * The keys of an identity provider's key set. jose picks the key, and this function decides when to fetch
 * the set. On Workers, jose itself would fetch it for every concurrent request and after every failure.
 *
 * The returned function throws VaultError `token_keys_unreachable` if the identity provider is at fault.
 * Like jose's own sets, it throws JWKSNoMatchingKey if no key fits the token's header. If several keys fit,
 * it throws JWKSMultipleMatchingKeys, which holds them.
 */
export function keySet(url: URL): JWTVerifyGetKey {
  let known: { pick: JWTVerifyGetKey; at: number } | undefined
  let failure: { cause: unknown; at: number } | undefined
  let fetching: Promise<void> | undefined
  let fetchedAt = 0
  let loggedDrops: string | undefined

  async function fetchOnce(): Promise<void> {
    fetchedAt = Date.now()
    try {
      const { usable, dropped } = await sortKeys(await fetchKeys(url))
      logDrops(dropped)
      if (usable.length === 0) throw new Error('JWT_JWKS_URL has no key that verifies a token')
      known = { pick: createLocalJWKSet({ keys: usable }), at: Date.now() }
      failure = undefined
    } catch (cause) {
      failure = { cause, at: Date.now() }
    }
  }

  /** Logs the unusable keys once, and again when they change. */
  function logDrops(keys: DroppedKey[]): void {
    const drops = JSON.stringify(keys)
    if (drops !== loggedDrops && keys.length > 0) log('error', 'token_keys_dropped', { keys })
    loggedDrops = drops
  }

  /** Begins a fetch that continues even if the client of its request disconnects. */
  function beginFetch(): Promise<void> {
    const begun = fetchOnce()
    waitUntil(begun)
    return begun
  }

  /** Waits for the fetch that any request has begun, or begins one. */
  async function refresh(): Promise<void> {
    const joined = (fetching ??= beginFetch())
    const ended = joined.then(() => true)
    const inTime = await Promise.race([ended, scheduler.wait(FETCH_TIMEOUT_MS + 1_000)])
    if (fetching !== joined) return
    fetching = undefined
    if (inTime) return
    failure = { cause: new Error('The fetch of JWT_JWKS_URL took too long'), at: Date.now() }
  }

  return async (header, token) => {
    const now = Date.now()
    const resting = failure !== undefined && now < failure.at + FAILURE_COOLDOWN_MS
    if (!isFresh(known) && !resting) await refresh()
    if (!isFresh(known)) throw unreachable(failure?.cause, FAILURE_COOLDOWN_MS)
    try {
      return await known.pick(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (fetching || now >= fetchedAt + UNKNOWN_KID_COOLDOWN_MS) await refresh()
      if (failure !== undefined) throw unreachable(failure.cause, UNKNOWN_KID_COOLDOWN_MS)
      return known.pick(header, token)
    }
  }
}

function isFresh<Known extends { at: number }>(known: Known | undefined): known is Known {
  return known !== undefined && Date.now() < known.at + MAX_AGE_MS
}

/** @throws Error if the answer is not a key set (RFC 7517 §5) */
async function fetchKeys(url: URL): Promise<unknown[]> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  const response = await fetch(url, { redirect: 'manual', signal })
  if (response.status !== 200)
    throw new Error(`JWT_JWKS_URL answered with status ${response.status}`)
  const body = await response.json()
  if (isJsonObject(body) && Array.isArray(body['keys'])) return body['keys']
  throw new Error('JWT_JWKS_URL did not answer with a key set')
}

function unreachable(cause: unknown, retryAfterMs: number): VaultError {
  return new VaultError('token_keys_unreachable', { cause, retryAfter: retryAfterMs / 1_000 })
}
