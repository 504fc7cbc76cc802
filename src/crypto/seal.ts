/** Sealed key ⇄ key: AES-256-GCM under a key of the user's own, bound to the row that it sits in. */

import { base64url } from 'jose'
import { decodeBase64url } from './base64url.ts'
import type { Config } from '../settings.ts'
import { importFernetKey, openFernet, type FernetKey } from './fernet.ts'

/** What stands for a kid in the rows that hold a Fernet token, which names no key. */
export const FERNET_KEY_ID = 'fernet'

const VERSION = 'v1'
const IV_BYTES = 12
const TAG_BITS = 128
const KID_BYTES = 6

/** Where a sealed key belongs: it opens nowhere else. */
export interface Slot {
  userId: string
  provider: string
}

/** Encryption keys by key id: the first seals, all open. */
export interface Keyring {
  sealingKeyId: string
  keys: ReadonlyMap<string, CryptoKey>
  /** The keys of the backend before, by key id: they open what it wrote. */
  fernetKeys: ReadonlyMap<string, FernetKey>
}

/** A stored key that does not open. Why is not told apart further than the keyring's part in it. */
export class SealError extends Error {
  override readonly name = 'SealError'
  readonly reason: 'key_id_not_in_keyring' | 'does_not_open'

  constructor(reason: SealError['reason']) {
    super(reason)
    this.reason = reason
  }
}

const keyrings = new WeakMap<Config, Keyring>()

/** The keyring of `API_KEY_ENCRYPTION_KEY` and `LEGACY_FERNET_KEY`, imported once an isolate. */
export async function openKeyring(config: Config): Promise<Keyring> {
  const known = keyrings.get(config)
  if (known !== undefined) return known
  const keyring = await createKeyring(config.API_KEY_ENCRYPTION_KEY, config.LEGACY_FERNET_KEY)
  keyrings.set(config, keyring)
  return keyring
}

/**
 * A keyring of `encryptionKeys` (at least one), the first one sealing, and of the Fernet keys before.
 * All are of 32 bytes, and distinct.
 */
export async function createKeyring(
  encryptionKeys: readonly Uint8Array[],
  legacyFernetKeys: readonly Uint8Array[] = [],
): Promise<Keyring> {
  const keys = new Map(await Promise.all(encryptionKeys.map(importEncryptionKey)))
  const fernetKeys = new Map(await Promise.all(legacyFernetKeys.map(importLegacyKey)))
  const [sealingKeyId] = keys.keys()
  if (
    sealingKeyId === undefined ||
    keys.size < encryptionKeys.length ||
    fernetKeys.size < legacyFernetKeys.length
  ) {
    throw new TypeError('A keyring needs at least one encryption key, and each key once')
  }
  return { sealingKeyId, keys, fernetKeys }
}

/** The keyring by its kids alone, the sealing one first: `<kid>,<kid>,fernet:<kid>`. */
export function nameKeyring({ keys, fernetKeys }: Keyring): string {
  const legacy = Array.from(fernetKeys.keys(), (keyId) => `${FERNET_KEY_ID}:${keyId}`)
  return [...keys.keys(), ...legacy].join(',')
}

/** Whether the keyring has the key that a row under `keyId` needs. */
export function hasKey({ keys, fernetKeys }: Keyring, keyId: string): boolean {
  return keyId === FERNET_KEY_ID ? fernetKeys.size > 0 : keys.has(keyId)
}

/**
 * Seals `apiKey` for `slot` under the keyring's first key.
 *
 * @returns `v1.<kid>.<base64url(iv ‖ ciphertext ‖ tag)>` and its kid, to be stored beside it
 */
export async function sealKey(
  keyring: Keyring,
  slot: Slot,
  apiKey: string,
): Promise<{ sealed: string; keyId: string }> {
  const keyId = keyring.sealingKeyId
  const userKey = await deriveUserKey(keyring, keyId, slot.userId)
  // NIST SP 800-38D §8.2.2: a random 96-bit IV, for at most 2³² seals under one (per-user) key.
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const ciphertext = await crypto.subtle.encrypt(
    aesGcm(iv, keyId, slot),
    userKey,
    new TextEncoder().encode(apiKey),
  )
  const payload = new Uint8Array([...iv, ...new Uint8Array(ciphertext)])
  return { sealed: `${VERSION}.${keyId}.${base64url.encode(payload)}`, keyId }
}

/**
 * Opens the sealed key of a row.
 *
 * @param row the slot and kid that the row itself names: what `sealed` says of itself is compared
 * with them and never believed
 * @throws SealError where it does not open
 */
export async function openKey(
  keyring: Keyring,
  row: Slot & { keyId: string },
  sealed: string,
): Promise<string> {
  if (!hasKey(keyring, row.keyId)) throw new SealError('key_id_not_in_keyring')
  const apiKey = await (row.keyId === FERNET_KEY_ID
    ? openFernet([...keyring.fernetKeys.values()], sealed)
    : openV1(keyring, row, sealed))
  if (apiKey === null) throw new SealError('does_not_open')
  return apiKey
}

async function openV1(
  keyring: Keyring,
  row: Slot & { keyId: string },
  sealed: string,
): Promise<string | null> {
  const userKey = await deriveUserKey(keyring, row.keyId, row.userId)
  const prefix = `${VERSION}.${row.keyId}.`
  const payload = sealed.startsWith(prefix) ? decodeBase64url(sealed.slice(prefix.length)) : null
  if (payload === null) return null
  return crypto.subtle
    .decrypt(
      aesGcm(payload.subarray(0, IV_BYTES), row.keyId, row),
      userKey,
      payload.subarray(IV_BYTES),
    )
    .then((apiKey) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(apiKey))
    .catch(() => null)
}

function aesGcm(iv: Uint8Array, keyId: string, slot: Slot): SubtleCryptoEncryptAlgorithm {
  const additionalData = encodeFields(VERSION, keyId, slot.userId, slot.provider)
  return { name: 'AES-GCM', iv, additionalData, tagLength: TAG_BITS }
}

async function deriveUserKey(keyring: Keyring, keyId: string, userId: string): Promise<CryptoKey> {
  const key = keyring.keys.get(keyId)
  if (key === undefined) throw new SealError('key_id_not_in_keyring')
  const parameters = hkdf(encodeFields('user-key-vault', VERSION, 'user key', userId))
  const aes = { name: 'AES-GCM', length: 256 }
  return crypto.subtle.deriveKey(parameters, key, aes, false, ['encrypt', 'decrypt'])
}

async function importEncryptionKey(bytes: Uint8Array): Promise<[keyId: string, key: CryptoKey]> {
  const usages = ['deriveBits', 'deriveKey']
  const key = await crypto.subtle.importKey('raw', bytes, 'HKDF', false, usages)
  return [await deriveKeyId(key), key]
}

async function importLegacyKey(bytes: Uint8Array): Promise<[keyId: string, key: FernetKey]> {
  const [[keyId], key] = await Promise.all([importEncryptionKey(bytes), importFernetKey(bytes)])
  return [keyId, key]
}

async function deriveKeyId(key: CryptoKey): Promise<string> {
  const parameters = hkdf(encodeFields('user-key-vault', VERSION, 'key id'))
  const bits = await crypto.subtle.deriveBits(parameters, key, KID_BYTES * 8)
  return Array.from(new Uint8Array(bits), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** RFC 5869 §3.1: no salt, since an encryption key is uniformly random already. */
function hkdf(info: Uint8Array): SubtleCryptoDeriveKeyAlgorithm {
  return { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
}

/** Unambiguous: a JSON array of strings has one reading, and each list of strings one JSON array. */
function encodeFields(...fields: string[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(fields))
}
