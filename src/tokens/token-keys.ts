/** The keys that verify tokens: a shared secret, or an identity provider's key set. */

import { waitUntil } from 'cloudflare:workers'
import { createLocalJWKSet, type FlattenedJWSInput, type JWK, type JWTVerifyGetKey } from 'jose'
import * as base64url from 'jose/base64url'
import { JWKSNoMatchingKey } from 'jose/errors'
import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import { isJsonObject } from '../shared/json.ts'
import { fetchKeys, FETCH_TIMEOUT_MS } from './fetched-keys.ts'
import type { DroppedKey } from './public-key.ts'
import { TENANT } from './token-settings.ts'

const MAX_AGE_MS = 600_000
const UNKNOWN_KEY_COOLDOWN_MS = 30_000
const FAILURE_COOLDOWN_MS = 5_000

/** A key of a shared secret. It is imported at its first use. */
export type SecretKey = () => Promise<CryptoKey>

const encoder = new TextEncoder()

export function sharedSecret(secret: string): SecretKey {
  return hmacKey(encoder.encode(secret))
}

/**
 * The key that some issuers make of a secret, which they decode as base64, in either alphabet. Null if it is not base64.
 * The hex of `openssl rand -hex` counts as not base64: with this recommended secret, a forged token costs one check.
 */
export function decodedSecret(secret: string): SecretKey | null {
  if (/^[\da-f]+$/.test(secret)) return null
  try {
    return hmacKey(Uint8Array.fromBase64(secret.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return null
  }
}

function hmacKey(bytes: Uint8Array): SecretKey {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  let key: CryptoKey | undefined
  return async () => (key ??= await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']))
}

/** Whether `key` signed the token. Its parts are base64url. */
export async function isSignedBy(
  { protected: header, payload, signature }: FlattenedJWSInput,
  key: CryptoKey,
): Promise<boolean> {
  const signed = encoder.encode(`${header}.${String(payload)}`)
  return crypto.subtle.verify('HMAC', key, base64url.decode(signature), signed)
}

/**
 * The keys of an identity provider's key set. jose picks the key, and this function decides when to fetch
 * the set. On Workers, jose itself would fetch it for every concurrent request and after every failure.
 *
 * The returned function throws VaultError `token_keys_unreachable` if the identity provider is at fault.
 * Like jose's own sets, it throws JWKSNoMatchingKey if no key fits the token's header. If several keys fit,
 * it throws JWKSMultipleMatchingKeys, which holds them.
 *
 * `hasTenants` says whether the set is shared by tenants, whose keys may name them.
 */
export function keySet(url: URL, hasTenants = false): JWTVerifyGetKey {
  let keys: { pick: JWTVerifyGetKey; at: number } | undefined
  let failure: { cause: unknown; at: number } | undefined
  let fetching: Promise<void> | undefined
  let fetchedAt = 0
  let loggedDrops: string | undefined

  async function fetchOnce(): Promise<void> {
    fetchedAt = Date.now()
    try {
      const usable = await fetchKeys(url, logDrops)
      const pick = hasTenants ? tenantKeys(usable) : createLocalJWKSet({ keys: usable })
      keys = { pick, at: Date.now() }
      failure = undefined
    } catch (cause) {
      failure = { cause, at: Date.now() }
    }
  }

  /** Logs the unusable keys once, and again when they change. */
  function logDrops(dropped: DroppedKey[]): void {
    const drops = JSON.stringify(dropped)
    if (drops !== loggedDrops && dropped.length > 0) {
      log('error', 'token_keys_dropped', { keys: dropped })
    }
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
    if (!isFresh(keys) && !resting) await refresh()
    if (!isFresh(keys)) throw unreachable(failure?.cause, FAILURE_COOLDOWN_MS)
    try {
      return await keys.pick(header, token)
    } catch (error) {
      if (!(error instanceof JWKSNoMatchingKey)) throw error
      if (fetching || now >= fetchedAt + UNKNOWN_KEY_COOLDOWN_MS) await refresh()
      if (failure !== undefined) throw unreachable(failure.cause, UNKNOWN_KEY_COOLDOWN_MS)
      return keys.pick(header, token)
    }
  }
}

function isFresh<Keys extends { at: number }>(keys: Keys | undefined): keys is Keys {
  return keys !== undefined && Date.now() < keys.at + MAX_AGE_MS
}

function unreachable(cause: unknown, retryAfterMs: number): VaultError {
  return new VaultError('token_keys_unreachable', { cause, retryAfter: retryAfterMs / 1_000 })
}

/**
 * The keys of a set that several tenants share, as Microsoft Entra ID has one. A key may name its issuer, and then verifies
 * only tokens of that tenant: otherwise the key of one tenant would sign for the users of another.
 * https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-signature
 *
 * The tenant is read before the signature is checked, from the bytes that the signature covers.
 */
function tenantKeys(keys: readonly (JWK & { issuer?: unknown })[]): JWTVerifyGetKey {
  /** By the positions of their keys, so that tokens of made-up tenants share one. */
  const sets = new Map<string, JWTVerifyGetKey>()
  return async (header, token) => {
    const tenant = tenantOf(token)
    const fitting = keys.filter(({ issuer }) => isIssuerOf(issuer, tenant))
    const name = fitting.map((key) => keys.indexOf(key)).join()
    const pick = sets.get(name) ?? createLocalJWKSet({ keys: fitting })
    sets.set(name, pick)
    return pick(header, token)
  }
}

/**
 * Whether a key's `issuer` is of this tenant. It may be of another version than the token's: `sts.windows.net` beside
 * `login.microsoftonline.com`.
 */
function isIssuerOf(issuer: unknown, tenant: unknown): boolean {
  if (issuer === undefined) return true
  if (typeof issuer !== 'string' || typeof tenant !== 'string') return false
  return issuer.split('/').some((part) => part === TENANT || part === tenant)
}

function tenantOf({ payload }: FlattenedJWSInput): unknown {
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(base64url.decode(payload)))
    return isJsonObject(claims) ? claims['tid'] : null
  } catch {
    return null
  }
}
