/** Finds the keys of a key set that can verify a token. One bad key must not affect the others. */

import {
  base64url,
  createLocalJWKSet,
  type FlattenedJWSInput,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose'
import { isJsonObject } from '../shared/json.ts'
import { algorithmsOf } from './public-key.ts'
import { TENANT } from './token-settings.ts'

/** RFC 7518 §3.3 */
const MIN_RSA_BITS = 2_048

/** A key that cannot verify a token, with its position in the set. */
export interface DroppedKey {
  index: number
  kid: string | null
  reason: string
}

/** Splits the keys of a set into the usable ones, and the others with the reason. */
export async function sortKeys(
  keys: readonly unknown[],
): Promise<{ usable: JWK[]; dropped: DroppedKey[] }> {
  const signing = keys.map((key, index) => ({ key, index })).filter(({ key }) => isForSigning(key))
  const checked = await Promise.all(
    signing.map(async ({ key, index }) => ({ key, index, fault: await nameFault(key) })),
  )
  const usable = checked.flatMap(({ key, fault }) => (fault === null ? withoutEdDsa(key) : []))
  const dropped = checked.flatMap(({ key, index, fault }) =>
    fault === null ? [] : [{ index, kid: kidOf(key), reason: fault }],
  )
  return { usable, dropped }
}

/** Why `key` cannot verify a token; null if it can. */
async function nameFault(key: unknown): Promise<string | null> {
  if (!isJsonObject(key)) return 'not a JSON object'
  if (key['kty'] === 'oct') return 'symmetric'
  if (key['d'] !== undefined) return 'not a public key'
  const { alg = algorithmsOf(key)[0] } = key
  if (typeof alg !== 'string') return 'unknown type or curve'
  try {
    const pick = createLocalJWKSet({ keys: [{ ...Object(key), alg }] })
    return nameShortness(await pick({ alg }))
  } catch (error) {
    return error instanceof Error ? error.name : 'unknown'
  }
}

/** Why `key` is too short for its algorithm; null if it is not. */
export function nameShortness({ algorithm }: CryptoKey): string | null {
  const isShort = 'modulusLength' in algorithm && algorithm.modulusLength < MIN_RSA_BITS
  return isShort ? `RSA under ${MIN_RSA_BITS} bits` : null
}

/** Whether a key is meant for signatures. A key for encryption (RFC 7518 §4.1) is ignored, and is not a fault. */
function isForSigning(key: unknown): boolean {
  if (!isJsonObject(key)) return true
  const { use = 'sig', alg } = key
  return use === 'sig' && !/^(?:RSA|ECDH)/.test(String(alg))
}

/** Drops the `alg` of an Ed25519 key, since `EdDSA` and `Ed25519` are the same there (RFC 9864 §2.2). */
function withoutEdDsa(key: unknown): JWK {
  if (!isJsonObject(key) || key['kty'] !== 'OKP') return { ...Object(key) }
  const { alg: _, ...fields } = key
  return fields
}

function kidOf(key: unknown): string | null {
  return isJsonObject(key) && typeof key['kid'] === 'string' ? key['kid'].slice(0, 200) : null
}

/**
 * The keys of a set that several tenants share, as Microsoft Entra ID has it. A key may name its issuer, and then
 * verifies only tokens of that tenant: otherwise the key of one tenant would sign for the users of another.
 * https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-signature
 *
 * The tenant is read before the signature is checked, from the bytes that the signature covers.
 */
export function tenantKeys(keys: readonly (JWK & { issuer?: unknown })[]): JWTVerifyGetKey {
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

/** Its version may be another than the token's: `sts.windows.net` beside `login.microsoftonline.com`. */
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
