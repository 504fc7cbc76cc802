/** The keys that tokens are checked with: one shared secret, or an identity provider's key set. */

import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { Config } from '../settings.ts'
import { ApiError } from '../errors.ts'

const MAX_AGE_MS = 600_000
const UNKNOWN_KID_COOLDOWN_MS = 30_000
const FAILURE_COOLDOWN_MS = 5_000
const FETCH_TIMEOUT_MS = 5_000

const sources = new WeakMap<Config, JWTVerifyGetKey>()

/**
 * The source of the keys for `config`, made once an isolate.
 *
 * The source throws ApiError `token_keys_unreachable` where the identity provider is at fault, and
 * jose's JWKSNoMatchingKey or JWKSMultipleMatchingKeys where the token is.
 */
export function tokenKeys(config: Config): JWTVerifyGetKey {
  const known = sources.get(config)
  if (known !== undefined) return known
  const { JWT_JWKS_URL: url, JWT_SECRET_KEY: secret = '' } = config
  const source = url === undefined ? secretKey(secret) : remoteKeys(url)
  sources.set(config, source)
  return source
}

function secretKey(secret: string): JWTVerifyGetKey {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const bytes = new TextEncoder().encode(secret)
  let key: CryptoKey | undefined
  return async () => (key ??= await crypto.subtle.importKey('raw', bytes, hmac, false, ['verify']))
}

/**
 * An identity provider's key set. jose picks the key; when to fetch is decided here, since on
 * Workers jose has every concurrent request, and every one after a failure, fetch for itself.
 */
function remoteKeys(url: URL): JWTVerifyGetKey {
  let keySet: { pick: JWTVerifyGetKey; at: number } | undefined
  let failure: { cause: unknown; at: number } | undefined
  let fetching: Promise<void> | undefined
  let fetchedAt = -Infinity

  async function fetchOnce(): Promise<void> {
    fetchedAt = Date.now()
    try {
      keySet = { pick: keyPicker(await fetchKeySet(url)), at: Date.now() }
      failure = undefined
    } catch (cause) {
      failure = { cause, at: Date.now() }
    }
  }

  /** Joins the fetch under way, whichever request began it, or begins one. */
  async function refresh(): Promise<void> {
    const joined = (fetching ??= fetchOnce())
    const ended = joined.then(() => true)
    const inTime = await Promise.race([ended, scheduler.wait(FETCH_TIMEOUT_MS + 1_000)])
    if (fetching !== joined) return
    fetching = undefined
    // A request that is cancelled takes the fetch that it began with it: that never ends.
    if (inTime) return
    failure = { cause: new Error('The fetching request was cancelled'), at: Date.now() }
  }

  return async (header, token) => {
    const now = Date.now()
    const resting = failure !== undefined && now < failure.at + FAILURE_COOLDOWN_MS
    if (!isFresh(keySet) && !resting) await refresh()
    if (keySet === undefined || !isFresh(keySet)) {
      throw unreachable(failure?.cause, FAILURE_COOLDOWN_MS)
    }
    try {
      return await keySet.pick(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (fetching || now >= fetchedAt + UNKNOWN_KID_COOLDOWN_MS) await refresh()
      if (failure !== undefined) throw unreachable(failure.cause, UNKNOWN_KID_COOLDOWN_MS)
      return keySet.pick(header, token)
    }
  }
}

function isFresh(keySet: { at: number } | undefined): boolean {
  return keySet !== undefined && Date.now() < keySet.at + MAX_AGE_MS
}

/** As jose's own, but a key that cannot be imported is the provider's fault, not the token's. */
function keyPicker(keys: JSONWebKeySet): JWTVerifyGetKey {
  const pick = createLocalJWKSet(keys)
  return async (header, token) =>
    pick(header, token).catch((error: unknown) => {
      const { JWKSNoMatchingKey, JWKSMultipleMatchingKeys } = errors
      const ofToken = [JWKSNoMatchingKey, JWKSMultipleMatchingKeys].some((c) => error instanceof c)
      throw ofToken ? error : unreachable(error, MAX_AGE_MS)
    })
}

async function fetchKeySet(url: URL): Promise<JSONWebKeySet> {
  const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS)
  const response = await fetch(url, { redirect: 'manual', signal })
  if (response.status !== 200) throw new Error(`JWT_JWKS_URL answered ${response.status}`)
  return response.json<JSONWebKeySet>()
}

function unreachable(cause: unknown, retryAfterMs: number): ApiError {
  const headers = { 'Retry-After': String(retryAfterMs / 1_000) }
  return new ApiError('token_keys_unreachable', { cause, headers })
}
