/** Seals and opens API keys: AES-256-GCM under a per-user key. A sealed key opens only in its own row. */

import { base64url } from 'jose'
import { decodeBase64url } from './base64url.ts'
import { encodeFields, hkdf, VERSION } from './derivation.ts'
import { openFernet } from './fernet.ts'
import { FERNET_KID, type Keyring } from './keyring.ts'

const IV_BYTES = 12
const TAG_BITS = 128
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Where a key is stored. A sealed key opens nowhere else. */
export interface Slot {
  userId: string
  provider: string
}

/** A sealed key, and the kid of the encryption key that sealed it. Both are stored. */
export interface SealedKey {
  /** `v1.<kid>.<base64url(iv ‖ ciphertext ‖ tag)>` */
  sealed: string
  kid: string
}

/** Why a sealed key does not open. `does_not_open` is any other reason than a missing encryption key. */
export type UnreadableReason = 'key_id_not_in_keyring' | 'does_not_open'

/** The result of opening a sealed key. */
export type OpenedKey =
  | { state: 'open'; text: string }
  | { state: 'unreadable'; reason: UnreadableReason }

/** Seals `text` for `slot` under the keyring's first key. */
export async function sealKey(keyring: Keyring, slot: Slot, text: string): Promise<SealedKey> {
  const { kid, key } = keyring.sealing
  const userKey = await deriveUserKey(key, slot.userId)
  // SP 800-38D §8.2.2, §8.3: a random 96-bit IV is safe for 2³² seals under one (per-user) key.
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const ciphertext = await crypto.subtle.encrypt(
    aesGcm(iv, kid, slot),
    userKey,
    encoder.encode(text),
  )
  const payload = new Uint8Array(IV_BYTES + ciphertext.byteLength)
  payload.set(iv)
  payload.set(new Uint8Array(ciphertext), IV_BYTES)
  return { sealed: `${VERSION}.${kid}.${base64url.encode(payload)}`, kid }
}

/**
 * Opens the sealed key of a row. It takes the slot and the kid from the row, and never trusts what the
 * sealed text says. It never throws for a damaged key.
 */
export async function openKey(keyring: Keyring, row: Slot & SealedKey): Promise<OpenedKey> {
  if (row.kid === FERNET_KID) return openLegacy(keyring, row.sealed)
  const key = keyring.keys.get(row.kid)
  if (key === undefined) return unreadable('key_id_not_in_keyring')
  return opened(await openV1(key, row))
}

async function openLegacy({ fernetKeys }: Keyring, token: string): Promise<OpenedKey> {
  if (fernetKeys.size === 0) return unreadable('key_id_not_in_keyring')
  const keys = [...fernetKeys.values()]
  const text = (await openFernet(keys, token))?.trim() ?? null
  // A backend's script that encrypts all rows encrypts some twice if it runs again.
  const inner = text === null ? null : await openFernet(keys, text)
  return opened(inner?.trim() ?? text)
}

function opened(text: string | null): OpenedKey {
  return text === null ? unreadable('does_not_open') : { state: 'open', text }
}

function unreadable(reason: UnreadableReason): OpenedKey {
  return { state: 'unreadable', reason }
}

async function openV1(key: CryptoKey, row: Slot & SealedKey): Promise<string | null> {
  const prefix = `${VERSION}.${row.kid}.`
  const payload = row.sealed.startsWith(prefix)
    ? decodeBase64url(row.sealed.slice(prefix.length))
    : null
  if (payload === null) return null
  const userKey = await deriveUserKey(key, row.userId)
  return crypto.subtle
    .decrypt(
      aesGcm(payload.subarray(0, IV_BYTES), row.kid, row),
      userKey,
      payload.subarray(IV_BYTES),
    )
    .then((text) => decoder.decode(text))
    .catch(() => null)
}

function aesGcm(iv: Uint8Array, kid: string, slot: Slot): SubtleCryptoEncryptAlgorithm {
  const additionalData = encodeFields(VERSION, kid, slot.userId, slot.provider)
  return { name: 'AES-GCM', iv, additionalData, tagLength: TAG_BITS }
}

/** How many users' derived keys an isolate keeps. Deriving one takes longer than opening a sealed key. */
const KEPT_USERS = 1_000
const userKeys = new WeakMap<CryptoKey, Map<string, CryptoKey>>()

/** Derives the per-user key, which cannot be exported. */
async function deriveUserKey(key: CryptoKey, userId: string): Promise<CryptoKey> {
  const kept = userKeys.get(key) ?? new Map<string, CryptoKey>()
  const known = kept.get(userId)
  if (known !== undefined) return known
  const aes = { name: 'AES-GCM', length: 256 }
  const usages = ['encrypt', 'decrypt']
  const derived = await crypto.subtle.deriveKey(hkdf('user key', userId), key, aes, false, usages)
  for (const oldest of kept.keys()) {
    if (kept.size < KEPT_USERS) break
    kept.delete(oldest)
  }
  userKeys.set(key, kept.set(userId, derived))
  return derived
}
