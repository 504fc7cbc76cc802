/** Encryption keys. What one of them seals for an owner, it opens only for that owner. Its bytes never leave this folder. */

import * as base64url from 'jose/base64url'
import { Kept } from '../shared/kept.ts'
import { readOwner } from '../shared/owner.ts'

/** The version of the sealed key's format, and of all that is derived for it. */
export const VERSION = 'v1'

const IV_BYTES = 12
const TAG_BITS = 128
const KID_BYTES = 6
/** 128 bits: two keys of one owner never have the same fingerprint by chance. */
const FINGERPRINT_BYTES = 16
/** An isolate keeps at most so many bytes of owners' derived keys. Deriving one takes longer than opening a sealed key. */
const MOST_KEPT = 2 ** 20
/** The size of a derived key in characters, in addition to what `Kept` counts for any value. */
const KEY_CHARACTERS = 100

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Who a key belongs to. */
export interface Owner {
  /** The text of a user or a team: see `readOwner`. */
  userId: string
}

/**
 * The owner in all that is derived for it and bound to it: see {@link encodeFields}. A user is one field, and a team is two,
 * so that they are never equal, whatever their ids.
 */
export function ownerFields({ userId }: Owner): string[] {
  const { kind, id } = readOwner(userId)
  return kind === 'user' ? [id] : [kind, id]
}

/** An encryption key, from whatever source. Each method rejects if the source fails. */
export interface EncryptionKey {
  /** Its short public name, which is stored beside what it seals. */
  readonly kid: string
  ownerKey(owner: Owner): Promise<OwnerKey>
  /** Tells whether two keys of one owner are the same, and nothing else. Those of different owners cannot be compared. */
  fingerprint(owner: Owner, apiKey: string): Promise<string>
}

/** What an encryption key is for one owner. */
export interface OwnerKey {
  /** Returns iv ‖ ciphertext ‖ tag. It opens only with the same `bound`. */
  seal(text: string, bound: Uint8Array): Promise<Uint8Array>
  /** Null if `sealed` is damaged or bound to something else. */
  open(sealed: Uint8Array, bound: Uint8Array): Promise<string | null>
}

/** The encryption key of 32 random bytes. It derives the others with HKDF-SHA256, each for one purpose. */
export async function secretKey(bytes: Uint8Array): Promise<EncryptionKey> {
  const usages = ['deriveBits', 'deriveKey']
  const secret = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, usages)
  const ownerKey = keepMade(async (...owner) => {
    const [info, aes] = [hkdf('user key', ...owner), { name: 'AES-GCM', length: 256 }]
    return aesKey(await crypto.subtle.deriveKey(info, secret, aes, false, ['encrypt', 'decrypt']))
  })
  const macKey = keepMade(async (purpose) => {
    const hmac = { name: 'HMAC', hash: 'SHA-256', length: 256 }
    return crypto.subtle.deriveKey(hkdf(purpose), secret, hmac, false, ['sign'])
  })
  return {
    kid: await deriveKid(secret),
    ownerKey: async (owner) => ownerKey(...ownerFields(owner)),
    fingerprint: async (owner, apiKey) => {
      const text = encodeFields(...ownerFields(owner), apiKey)
      const mac = await crypto.subtle.sign('HMAC', await macKey('fingerprint'), text)
      return base64url.encode(new Uint8Array(mac, 0, FINGERPRINT_BYTES))
    },
  }
}

/** AES-256-GCM under `key`, with a random IV. */
function aesKey(key: CryptoKey): OwnerKey {
  return {
    async seal(text, bound) {
      // SP 800-38D §8.2.2, §8.3: a random 96-bit IV is safe for 2³² seals under one (per-owner) key.
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const ciphertext = await crypto.subtle.encrypt(aesGcm(iv, bound), key, encoder.encode(text))
      const sealed = new Uint8Array(IV_BYTES + ciphertext.byteLength)
      sealed.set(iv)
      sealed.set(new Uint8Array(ciphertext), IV_BYTES)
      return sealed
    },
    async open(sealed, bound) {
      const iv = sealed.subarray(0, IV_BYTES)
      return crypto.subtle
        .decrypt(aesGcm(iv, bound), key, sealed.subarray(IV_BYTES))
        .then((text) => decoder.decode(text))
        .catch(() => null)
    },
  }
}

function aesGcm(iv: Uint8Array, additionalData: Uint8Array): SubtleCryptoEncryptAlgorithm {
  return { name: 'AES-GCM', iv, additionalData, tagLength: TAG_BITS }
}

async function deriveKid(secret: CryptoKey): Promise<string> {
  const bits = await crypto.subtle.deriveBits(hkdf('key id'), secret, KID_BYTES * 8)
  return Array.from(new Uint8Array(bits), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

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

/** Makes a value once for each list of fields, and keeps it. It keeps no promise: that belongs to its request. */
function keepMade<Value>(make: (...fields: string[]) => Promise<Value>) {
  const kept = new Kept<Value>(MOST_KEPT)
  return async (...fields: string[]): Promise<Value> => {
    const name = JSON.stringify(fields)
    const known = kept.get(name)
    if (known !== undefined) return known
    const made = await make(...fields)
    kept.set(name, made, KEY_CHARACTERS)
    return made
  }
}
