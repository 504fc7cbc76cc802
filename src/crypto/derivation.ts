/** The unambiguous inputs of key derivation and of additional data. */

const encoder = new TextEncoder()

/** The version of the sealed key's format, and of the derivation for it. */
export const VERSION = 'v1'

/**
 * HKDF-SHA256 for one purpose of an encryption key.
 *
 * RFC 5869 §3.1: it needs no salt, since an encryption key is already uniformly random.
 */
export function hkdf(...purpose: string[]): SubtleCryptoDeriveKeyAlgorithm {
  const info = encodeFields('user-key-vault', VERSION, ...purpose)
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
}

/** The fields as a JSON array. Different lists of strings never give the same bytes. */
export function encodeFields(...fields: string[]): Uint8Array {
  return encoder.encode(JSON.stringify(fields))
}
