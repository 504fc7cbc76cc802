/** Fingerprints of API keys: they tell whether two keys of one user are the same, and nothing else. */

import { base64url } from 'jose'
import { encodeFields, hkdf } from './derivation.ts'
import type { Keyring } from './keyring.ts'

/** 128 bits: two keys of one user never have the same fingerprint by chance. */
const FINGERPRINT_BYTES = 16

const macKeys = new WeakMap<CryptoKey, CryptoKey>()

/**
 * The key's fingerprint under each encryption key, the sealing one first: HMAC-SHA256 of user and key, under a
 * key that HKDF-SHA256 derives for this purpose alone. Fingerprints of different users cannot be compared.
 */
export async function fingerprintKey(
  { keys }: Pick<Keyring, 'keys'>,
  userId: string,
  apiKey: string,
): Promise<string[]> {
  const text = encodeFields(userId, apiKey)
  return Promise.all(
    Array.from(keys.values(), async (key) => {
      const mac = await crypto.subtle.sign('HMAC', await deriveMacKey(key), text)
      return base64url.encode(new Uint8Array(mac, 0, FINGERPRINT_BYTES))
    }),
  )
}

async function deriveMacKey(key: CryptoKey): Promise<CryptoKey> {
  const known = macKeys.get(key)
  if (known !== undefined) return known
  const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }
  const derived = await crypto.subtle.deriveKey(hkdf('fingerprint'), key, hmac, false, ['sign'])
  macKeys.set(key, derived)
  return derived
}
