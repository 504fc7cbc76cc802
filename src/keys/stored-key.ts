/** What a slot holds: nothing, a key that cannot be decrypted, or a key. */

import type { Keyring } from '../crypto/keyring.ts'
import { openKey, type UnreadableReason } from '../crypto/seal.ts'
import { log } from '../log.ts'
import type { Credential } from '../providers/base-url.ts'
import type { Service } from '../service.ts'
import { isConfidentialUrl } from '../shared/confidential-url.ts'
import { isKey } from '../shared/key-text.ts'
import type { KeyStatus } from '../shared/slot.ts'
import type { KeyRow, SealedRow, UserWithoutKey } from '../store/api-keys.ts'

/** Whose slots, for which request. */
export interface SlotOwner {
  service: Service
  userId: string
  /** Named in the log; undefined for a call over a binding. */
  requestId?: string | undefined
}

/** A key as its user may see it. Times are ISO 8601 in UTC. */
export interface KeySummary {
  /** The first 8 code points and `...`, or `****` for a key of 8 or fewer. */
  preview: string
  updatedAt: string
  status: KeyStatus
  lastUsedAt: string | null
  /** Null for a provider with a fixed origin. */
  baseUrl: string | null
}

/** A key that has been opened, with its row. */
export interface OpenKey extends KeySummary, Credential {
  state: 'open'
  row: SealedRow
}

/** A key that does not open, with its row. */
export interface UnreadableKey {
  state: 'unreadable'
  /** `not_a_key`: it opens, but what was imported cannot be sent to a provider. */
  reason: UnreadableReason | 'not_a_key'
  row: SealedRow
}

export type StoredKey = { state: 'empty' } | UnreadableKey | OpenKey

export const EMPTY: StoredKey = { state: 'empty' }

/** Whether a row of `users` has a key beside it. */
export function hasKeyRow(row: KeyRow | UserWithoutKey): row is KeyRow {
  return row.sealed !== null
}

export async function openRow(keyring: Keyring, row: KeyRow): Promise<OpenKey | UnreadableKey> {
  const opened = await openKey(keyring, row)
  if (opened.state === 'unreadable') return { ...opened, row }
  const credential = splitCredential(opened.text)
  if (credential === null) return { state: 'unreadable', reason: 'not_a_key', row }
  const { updatedAt, status, lastUsedAt } = row
  const preview = previewKey(credential.apiKey)
  return { state: 'open', ...credential, row, preview, updatedAt, status, lastUsedAt }
}

/** A credential as the text that is sealed: the key and, after a NUL, the base URL. */
export function joinCredential({ apiKey, baseUrl }: Credential): string {
  return baseUrl === null ? apiKey : `${apiKey}\0${baseUrl}`
}

/** Null if `text` is not a credential: an imported key may hold a NUL, and what follows it is part of a key. */
function splitCredential(text: string): Credential | null {
  const [apiKey = '', baseUrl = null, ...rest] = text.split('\0')
  const hasUrl = baseUrl !== null && rest.length === 0 && isConfidentialUrl(baseUrl)
  return isKey(apiKey) && (baseUrl === null || hasUrl) ? { apiKey, baseUrl } : null
}

/** Logs whose key does not open, and under which kid. */
export function logUnreadable({ row, reason }: UnreadableKey, requestId?: string): void {
  log('error', 'api_key_unreadable', {
    request_id: requestId,
    user_id: row.userId,
    provider: row.provider,
    key_id: row.kid,
    reason,
  })
}

export function previewKey(apiKey: string): string {
  const codePoints = Array.from(apiKey)
  return codePoints.length > 8 ? `${codePoints.slice(0, 8).join('')}...` : '****'
}
