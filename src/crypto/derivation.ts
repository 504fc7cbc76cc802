/** What keys and additional data are derived from, without ambiguity. */

const encoder = new TextEncoder()

/** Of sealed keys, and of all that is derived for them. */
export const VERSION = 'v1'

/**
 * HKDF-SHA256 for one purpose of an encryption key.
 *
 * RFC 5869 §3.1: no salt, since an encryption key is uniformly random already.
 */
export function hkdf(...purpose: string[]): SubtleCryptoDeriveKeyAlgorithm {
  const info = encodeFields('user-key-vault', VERSION, ...purpose)
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
}

/** Unambiguous: a JSON array of strings has one reading, and each list of strings one JSON array. */
export function encodeFields(...fields: string[]): Uint8Array {
  return encoder.encode(JSON.stringify(fields))
}
