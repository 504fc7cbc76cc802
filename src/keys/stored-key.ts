/** What a slot holds: nothing, a key that cannot be decrypted, or a key. */

import type { Owner } from '../crypto/encryption-key.ts'
import { fingerprintKey, type Keyring } from '../crypto/keyring.ts'
import { openKey, sealKey, type Slot, type UnreadableReason } from '../crypto/seal.ts'
import { count } from '../counters.ts'
import { VaultError } from '../errors.ts'
import { log } from '../log.ts'
import type { Credential } from '../providers/base-url.ts'
import type { Service } from '../service.ts'
import { isConfidentialUrl } from '../shared/confidential-url.ts'
import { isKey, previewKey } from '../shared/key-text.ts'
import { encodeSlot } from '../shared/slot.ts'
import type { KeyRow, SealedRow } from '../store/api-keys.ts'
import type { Actor } from '../store/events.ts'
import type { SealedFor } from '../store/resealed-keys.ts'
import { tagOf } from '../store/slot-check.ts'
import { readLimits, type Limits } from './limits.ts'

/** The owner whose slots a request works on. */
export interface SlotOwner {
  service: Service
  /** The text of a user or a team: see `readOwner`. */
  userId: string
  /** The text of the user who works on a team's slots, for the trail. */
  member?: string | undefined
  /** For the log and the trail. */
  requestId?: string | undefined
  /** Who works on them; the owner, if it is missing. */
  by?: Actor
  /** Whether the member is an admin of the team. Others see less of it, and change nothing. */
  isAdmin?: boolean | undefined
  /** When the member's token was issued: ISO 8601 in UTC. It may be too old for the team. */
  issuedAt?: string | undefined
}

export const OWNER: Actor = { kind: 'owner' }

/** What each event says of whose keys it is about, and who did something with them. */
export function actorOf({ userId, requestId, by = OWNER, member }: SlotOwner) {
  return { userId, requestId, by, member }
}

/** Whether the operator of the application works on the slots, who may do less than their owner. */
export function isOperator({ by }: SlotOwner): boolean {
  return by?.kind === 'operator'
}

type ShownColumn =
  | 'updatedAt'
  | 'status'
  | 'exhaustedAt'
  | 'lastUsedAt'
  | 'lastVerifiedAt'
  | 'expiresAt'
  | 'savedBy'

/** What a user may see of a key. */
export interface KeySummary extends Pick<KeyRow, ShownColumn> {
  /** The first 8 code points and `...`, or `****` for a key of 8 or fewer. */
  preview: string
  /** The last 4 characters; null for a key of fewer than 20, because they would show too much of it. */
  last4: string | null
  /** The entity tag: another one after each change that the owner of the key makes. */
  tag: string
  limits: Limits
  /** Null for a provider with a fixed origin. */
  baseUrl: string | null
}

/** An opened key, with its row. */
export interface OpenKey<Row extends KeyRow = KeyRow> extends KeySummary, Credential {
  state: 'open'
  row: Row
}

/** A key that does not open, with its row. */
export interface UnreadableKey<Row extends SealedRow = KeyRow> {
  state: 'unreadable'
  /** `not_a_key`: the imported text opens, but cannot be sent to a provider as a key. */
  reason: UnreadableReason | 'not_a_key'
  row: Row
}

export type StoredKey<Row extends KeyRow = KeyRow> = Empty | UnreadableKey<Row> | OpenKey<Row>

interface Empty {
  state: 'empty'
}

export const EMPTY: Empty = { state: 'empty' }

/** @throws VaultError `no_api_key`, `api_key_unreadable` */
export function requireOpen<Row extends KeyRow>(key: StoredKey<Row>): OpenKey<Row> {
  if (key.state === 'empty') throw new VaultError('no_api_key')
  if (key.state === 'unreadable') throw new VaultError('api_key_unreadable')
  return key
}

/** Whether the row holds a key, not only a user. */
export function isKeyRow(row: object): row is KeyRow {
  return 'sealed' in row && row.sealed !== null
}

export async function openRow<Row extends KeyRow>(
  keyring: Keyring,
  row: Row,
): Promise<OpenKey<Row> | UnreadableKey<Row>> {
  const opened = await openKey(keyring, row)
  if (opened.state === 'unreadable') return { ...opened, row }
  const credential = splitCredential(opened.text)
  if (credential === null) return { state: 'unreadable', reason: 'not_a_key', row }
  return { state: 'open', ...summarize(row, credential), apiKey: credential.apiKey, row }
}

/** Opens the key of a row. It logs and counts one that does not open. */
export async function openAndLog<Row extends KeyRow>(
  { service, requestId }: SlotOwner,
  row: Row,
): Promise<OpenKey<Row> | UnreadableKey<Row>> {
  const key = await openRow(service.keyring, row)
  if (key.state === 'unreadable') {
    logUnreadable(key, requestId)
    const about = { operation: 'read a slot', code: key.reason, provider: encodeSlot(row.provider) }
    count(service.settings.analytics, { event: 'api_key_unreadable', ...about })
  }
  return key
}

/** What the user may see of the key in `row`. */
export function summarize(row: KeyRow, { apiKey, baseUrl }: Credential): KeySummary {
  const { updatedAt, savedBy, status, exhaustedAt, lastUsedAt, lastVerifiedAt, expiresAt } = row
  const columns = { updatedAt, savedBy, status, exhaustedAt, lastUsedAt, lastVerifiedAt, expiresAt }
  const [preview, last4] = [previewKey(apiKey), lastFour(apiKey)]
  return { preview, last4, tag: tagOf(row), ...columns, limits: readLimits(row), baseUrl }
}

/** The text to seal for a credential: the key and, after a NUL, the base URL. */
export function joinCredential({ apiKey, baseUrl }: Credential): string {
  return baseUrl === null ? apiKey : `${apiKey}\0${baseUrl}`
}

/** Null if `text` is not a credential: an imported key may hold a NUL, and what follows it is part of a key. */
export function splitCredential(text: string): Credential | null {
  const [apiKey = '', baseUrl = null, ...rest] = text.split('\0')
  const isUsual = baseUrl === null || (rest.length === 0 && isConfidentialUrl(baseUrl))
  return isUsual && isKey(apiKey) ? { apiKey, baseUrl } : null
}

/** The characters of a short key. It has no fingerprint, which would let a holder of the token guess it. */
const SHORT = 20

/** The fingerprints of a key under all encryption keys, the sealing one first. */
export async function fingerprintsOf(
  keyring: Keyring,
  owner: Owner,
  apiKey: string,
): Promise<string[]> {
  return apiKey.length < SHORT ? [] : fingerprintKey(keyring, owner, apiKey)
}

/** The names of the other slots with the same key as the one in the slot `name`, if it is not a short one. */
export function namesOfSame(keys: ReadonlyMap<string, StoredKey>, name: string): string[] {
  const key = keys.get(name)
  if (key?.state !== 'open' || key.last4 === null) return []
  const same = Array.from(keys).filter(
    ([other, found]) => other !== name && found.state === 'open' && found.apiKey === key.apiKey,
  )
  return same.map(([other]) => other)
}

/** Seals the text of a credential for a slot. */
export async function sealText(keyring: Keyring, slot: Slot, text: string): Promise<SealedFor> {
  const { userId, provider } = slot
  const { apiKey } = splitCredential(text) ?? { apiKey: text }
  const [fingerprint = null] = await fingerprintsOf(keyring, slot, apiKey)
  return { userId, provider, ...(await sealKey(keyring, slot, text)), fingerprint }
}

/** Logs the user, the provider and the kid of a key that does not open. */
export function logUnreadable({ row, reason }: UnreadableKey<SealedRow>, requestId?: string): void {
  log('error', 'api_key_unreadable', {
    request_id: requestId,
    user_id: row.userId,
    provider: encodeSlot(row.provider),
    key_id: row.kid,
    reason,
  })
}

function lastFour(apiKey: string): string | null {
  return apiKey.length < SHORT ? null : apiKey.slice(-4)
}
