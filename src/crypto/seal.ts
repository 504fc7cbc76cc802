/** Seals and opens API keys: AES-256-GCM under a per-owner key. A sealed key opens only for its own owner and provider. */

import * as base64url from 'jose/base64url'
import { readOwner } from '../shared/owner.ts'
import { splitSlot } from '../shared/slot.ts'
import { decodeBase64url } from './base64url.ts'
import {
  encodeFields,
  ownerFields,
  VERSION,
  type EncryptionKey,
  type Owner,
} from './encryption-key.ts'
import type { ForeignKeys, Keyring } from './keyring.ts'

/** Where a key is stored. A sealed key opens for no other owner, and for no other provider. */
export interface Slot extends Owner {
  /** The name of the slot: `openai` or `openai:work`. */
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
export async function sealKey(
  { sealing: key }: Keyring,
  slot: Slot,
  text: string,
): Promise<SealedKey> {
  const ownerKey = await key.ownerKey(slot)
  const payload = await ownerKey.seal(text, boundTo(key, slot))
  return { sealed: `${VERSION}.${key.kid}.${base64url.encode(payload)}`, kid: key.kid }
}

/**
 * Opens the sealed key of a row. It takes the slot and the kid from the row, and never trusts what the
 * sealed text says. It never throws for a damaged key.
 */
export async function openKey(
  { keys, foreign }: Keyring,
  row: Slot & SealedKey,
): Promise<OpenedKey> {
  if (row.kid === foreign?.kid) return opened(await openForeign(foreign, row))
  const key = keys.get(row.kid)
  if (key === undefined) return { state: 'unreadable', reason: 'key_id_not_in_keyring' }
  return opened(await openV1(key, row))
}

function opened(text: string | null): OpenedKey {
  return text === null ? { state: 'unreadable', reason: 'does_not_open' } : { state: 'open', text }
}

/** Other programs sealed only keys of users, and bound none of them to its row. */
async function openForeign(foreign: ForeignKeys, row: Slot & SealedKey): Promise<string | null> {
  return readOwner(row.userId).kind === 'user' ? foreign.open(row.sealed) : null
}

async function openV1(key: EncryptionKey, row: Slot & SealedKey): Promise<string | null> {
  const prefix = `${VERSION}.${key.kid}.`
  const payload = row.sealed.startsWith(prefix)
    ? decodeBase64url(row.sealed.slice(prefix.length))
    : null
  if (payload === null) return null
  const ownerKey = await key.ownerKey(row)
  return ownerKey.open(payload, boundTo(key, row))
}

/** The additional data. It has no label, so that a key can be renamed without being sealed again. */
function boundTo({ kid }: EncryptionKey, slot: Slot): Uint8Array {
  return encodeFields(VERSION, kid, ...ownerFields(slot), splitSlot(slot.provider).provider)
}
