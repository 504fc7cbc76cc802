/** The keys that verify tokens: a shared secret, public keys, or an identity provider's key set. */

import { waitUntil } from 'cloudflare:workers'
import { createLocalJWKSet, type JWK, type JWTVerifyGetKey } from 'jose'
import { JWKSNoMatchingKey } from 'jose/errors'
import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import { isJsonObject } from '../shared/json.ts'
import { algorithmsOf } from './public-key.ts'
import { nameShortness, sortKeys, tenantKeys, type DroppedKey } from './usable-keys.ts'

const MAX_AGE_MS = 600_000
const UNKNOWN_KID_COOLDOWN_MS = 30_000
const FAILURE_COOLDOWN_MS = 5_000
const FETCH_TIMEOUT_MS = 5_000

/** The key of a shared secret. It is imported at its first use. */
export function sharedSecret(secret: string): JWTVerifyGetKey {
  return hmacKey(new TextEncoder().encode(secret))
}

/**
 * What some issuers take a secret for: base64, in either alphabet. Null if it is something else. The hex of
 * `openssl rand -hex` counts as something else: with the secret that is recommended, a forged token costs one check.
 */
export function decodedSecret(secret: string): JWTVerifyGetKey | null {
  if (/^[\da-f]+$/.test(secret)) return null
  try {
    return hmacKey(Uint8Array.fromBase64(secret.replaceAll('-', '+').replaceAll('_', '/')))
  } catch {
    return null
  }
}

function hmacKey(bytes: Uint8Array): JWTVerifyGetKey {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  let key: CryptoKey | undefined
  return async () => (key ??= await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']))
}

/**
 * The keys of `JWT_PUBLIC_KEY`, which are the DER of a SubjectPublicKeyInfo each. They have no `kid`, so that of the
 * token is not compared. The function in the result throws as {@link keySet}'s does.
 *
 * @throws VaultError `server_misconfigured` if one is not a key that Workers can verify with
 */
export async function publicKeys(
  keys: readonly Uint8Array[],
): Promise<{ keys: JWTVerifyGetKey; algorithms: readonly string[] }> {
  const read = await Promise.all(keys.map(readPublicKey))
  const pick = createLocalJWKSet({ keys: read })
  return {
    keys: async ({ alg }, token) => pick({ alg }, token),
    algorithms: read.flatMap(algorithmsOf),
  }
}

const CANDIDATES = [
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ...['P-256', 'P-384', 'P-521'].map((namedCurve) => ({ name: 'ECDSA', namedCurve })),
]

/** How each key of Ed25519 begins (RFC 8410 §10.1). Workers would import a key of another kind as one, too. */
const ED25519 = '302a300506032b6570032100'

async function readPublicKey(der: Uint8Array, index: number): Promise<JWK> {
  const isEd25519 = der.toHex().startsWith(ED25519)
  const candidates = isEd25519 ? [{ name: 'Ed25519' }] : CANDIDATES
  const imported = candidates.map(async (algorithm) =>
    crypto.subtle.importKey('spki', der, algorithm, true, ['verify']),
  )
  const key = await Promise.any(imported).catch(() => null)
  const fault = key === null ? 'not RSA, P-256, P-384, P-521 or Ed25519' : nameShortness(key)
  if (key !== null && fault === null) {
    // The `alg` is only one of those that the key verifies.
    return { ...Object(await crypto.subtle.exportKey('jwk', key)), alg: undefined }
  }
  const cause = new Error(`JWT_PUBLIC_KEY, item ${index + 1}, is ${fault}`)
  throw new VaultError('server_misconfigured', { cause })
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
      const pick = hasTenants ? tenantKeys(usable) : createLocalJWKSet({ keys: usable })
      known = { pick, at: Date.now() }
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
      if (!(error instanceof JWKSNoMatchingKey)) throw error
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
