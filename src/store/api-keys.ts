/** The table `api_keys`: one row per slot that holds a key. */

import type { SealedKey, Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT, foldSlot, splitSlot, type KeyStatus } from '../shared/slot.ts'
import { refuse, type Statement } from './d1.ts'
import { newPosition } from './slot-order.ts'

/** The columns of a row that are needed to open its key. */
export interface SealedRow extends Slot, SealedKey {}

/** A row. Times are ISO 8601 in UTC. */
export interface KeyRow extends SealedRow {
  /** Random. It stays until the key is replaced or deleted. */
  identity: string
  /** Grows by one with each change that the owner of the key makes. */
  revision: number
  /** Keys of one provider are in this order. There may be gaps. */
  position: number
  updatedAt: string
  /** Null for its owner, or an import. */
  savedBy: 'operator' | null
  status: KeyStatus
  /** When its provider first said that its account has no credit left; null if it has some, or if nobody knows. */
  exhaustedAt: string | null
  lastUsedAt: string | null
  /** When its provider last accepted or rejected it in a check by its user or by the job. */
  lastVerifiedAt: string | null
  /** When it may not be used any more; null for never. */
  expiresAt: string | null
  pausedAt: string | null
  /** JSON: the names of the callers that may use the key; null for all of them. */
  callers: string | null
  /** Null for no limit. */
  maxUses: number | null
  maxUsesPer: Period | null
  /** The uses in `usesIn`, a day or a month. They are only counted if they are limited. */
  uses: number
  usesIn: string | null
  /** Of a team's key; null for no limit. */
  maxUsesPerMember: number | null
  maxUsesPerMemberPer: Period | null
}

/** What uses are counted by, in UTC. */
export type Period = 'day' | 'month'

/** A row that was read together with its user. */
export interface UserKeyRow extends KeyRow {
  /** Random. A user who is added again has another one. */
  userIdentity: string
}

/** The row that a query of a user's keys returns for a user without keys. */
export interface UserWithoutKey {
  sealed: null
}

/** The provider of a row, without the label of its slot, in SQL: see `splitSlot`. */
export const PROVIDER = "substr(provider, 1, instr(provider || ':', ':') - 1)"

export const SEALED_COLUMNS =
  'user_id AS userId, provider, encrypted_api_key AS sealed, key_id AS kid'
/** The columns of a {@link KeyRow}. */
export const COLUMNS = `${SEALED_COLUMNS}, api_keys.identity, revision, position, updated_at AS updatedAt,
  saved_by AS savedBy, status, exhausted_at AS exhaustedAt,
  last_used_at AS lastUsedAt, last_verified_at AS lastVerifiedAt, expires_at AS expiresAt,
  paused_at AS pausedAt, callers, max_uses AS maxUses, max_uses_per AS maxUsesPer, uses, uses_in AS usesIn,
  max_uses_per_member AS maxUsesPerMember, max_uses_per_member_per AS maxUsesPerMemberPer`

/** The row that a slot is stored in. */
export interface SlotRow extends Slot {
  /** Whether a key of the plain route belongs in this row too: see {@link isAlone}. */
  takesDefault: boolean
}

/** An SQL expression that fails if the user `?1` has a key of the plain route that has to be moved first. */
export function isAlone(takesDefault: boolean): string {
  if (!takesDefault) return 'TRUE'
  const plain = `SELECT 1 FROM api_keys WHERE user_id = ?1 AND provider = '${DEFAULT_SLOT}'`
  return `CASE WHEN EXISTS (${plain}) THEN ${refuse('not_moved')} ELSE TRUE END`
}

/** The key in the slot. It returns no row if the user does not exist. */
export function selectKey({
  userId,
  provider,
  takesDefault,
}: SlotRow): Statement<UserKeyRow | UserWithoutKey> {
  return {
    sql: `SELECT ${COLUMNS}, users.identity AS userIdentity, ${isAlone(takesDefault)}
          FROM users LEFT JOIN api_keys ON user_id = id AND provider = ?2 WHERE id = ?1`,
    values: [userId, provider],
  }
}

/** All keys of the user. It returns no row if the user does not exist. */
export function selectKeys(userId: string): Statement<KeyRow | UserWithoutKey> {
  return {
    sql: `SELECT ${COLUMNS} FROM users LEFT JOIN api_keys ON user_id = id WHERE id = ?1`,
    values: [userId],
  }
}

/** A saved key, and the user's other slots with the same one. */
export interface SavedRow extends KeyRow {
  /** JSON: the names of the slots. */
  sameIn: string
}

/** The columns of a {@link SavedRow}, for the row `user_id = ?1 AND provider = ?2`. */
const SAVED_COLUMNS = `${COLUMNS}, (
    SELECT json_group_array(other.provider) FROM api_keys AS other
    WHERE other.user_id = ?1 AND other.provider <> ?2
      AND other.fingerprint IN (SELECT value FROM json_each(?3))
  ) AS sameIn`

/** A key to save. */
export interface NewRow extends SealedKey {
  savedBy: KeyRow['savedBy']
  status: KeyStatus
  exhaustedAt: string | null
  /** ISO 8601 in UTC; null for never. */
  expiresAt: string | null
  /** See `fingerprintKey`: the one under the sealing key first. There are none for a short key. */
  fingerprints: readonly string[]
}

/** The end of an INSERT that replaces the slot's previous key. The new key has not been used. */
export const REPLACE_KEY = `ON CONFLICT (user_id, provider) DO UPDATE SET
  identity = excluded.identity, revision = api_keys.revision + 1,
  encrypted_api_key = excluded.encrypted_api_key, key_id = excluded.key_id, fingerprint = excluded.fingerprint,
  status = excluded.status, exhausted_at = excluded.exhausted_at, updated_at = excluded.updated_at, saved_by = excluded.saved_by,
  expires_at = excluded.expires_at, expiry_noted = 0, last_used_at = NULL, last_verified_at = NULL`

/**
 * Saves a key in place of the slot's previous one, whose limits and position stay. It returns no row if the user does not
 * exist, and fails if the provider has too many keys, or if another label differs only in case.
 */
export function upsertKey(
  { userId, provider }: Slot,
  { sealed, kid, savedBy, status, exhaustedAt, expiresAt, fingerprints }: NewRow,
): Statement<SavedRow> {
  const position = newPosition(provider, { slot: '?2', provider: '?11' })
  return {
    sql: `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status, expires_at, saved_by, exhausted_at,
            fingerprint, folded, position)
          SELECT id, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?3 ->> 0, ?10, ${position} FROM users WHERE id = ?1
          ${REPLACE_KEY}
          RETURNING ${SAVED_COLUMNS}`,
    changes: userId,
    values: [
      userId,
      provider,
      JSON.stringify(fingerprints),
      sealed,
      kid,
      status,
      expiresAt,
      savedBy,
      exhaustedAt,
      foldSlot(provider),
      ...(provider === DEFAULT_SLOT ? [] : [splitSlot(provider).provider]),
    ],
  }
}

/** The key in the slot, as {@link upsertKey} returns it. */
export function selectSaved(
  { userId, provider }: Slot,
  fingerprints: readonly string[],
): Statement<SavedRow> {
  return {
    sql: `SELECT ${SAVED_COLUMNS} FROM api_keys WHERE user_id = ?1 AND provider = ?2`,
    values: [userId, provider, JSON.stringify(fingerprints)],
  }
}

/** The key that was read from a row. It may have moved or been sealed again, but another key has another identity. */
export type ReadKey = Pick<KeyRow, 'userId' | 'identity' | 'status' | 'exhaustedAt'>

/** What a provider's answer says of a key. */
export type KeyState = Pick<KeyRow, 'status' | 'exhaustedAt'>

/** The key, in whichever slot it is by now. */
const READ_KEY = 'user_id = ?1 AND identity = ?2'
/** The status is still the one that was read. So is the condition, if the answer changes it. */
const IS_AS_READ = '(status = ?5 AND (?6 IS ?7 OR exhausted_at IS ?7))'

/**
 * Records a time and a state. It changes no row if the key is gone by now, or if its state has changed since it was read.
 */
const updateWith =
  (column: string, condition: string) =>
  (
    { userId, identity, status: before, exhaustedAt: exhaustedBefore }: ReadKey,
    { status, exhaustedAt, at }: KeyState & { at: string },
  ): Statement => ({
    sql: `UPDATE api_keys SET status = ?3, ${column} = ?4,
            exhausted_at = CASE WHEN exhausted_at IS ?7 THEN ?6 ELSE exhausted_at END
          WHERE ${READ_KEY} AND ${condition}`,
    values: [userId, identity, status, at, before, exhaustedAt, exhaustedBefore],
    changes: userId,
  })

/** Records that the owner had a key checked. A rejection counts, whatever was found meanwhile. */
export const updateVerified = updateWith('last_verified_at', `(?3 = 'rejected' OR ${IS_AS_READ})`)

/** Records that the job checked a key. */
export const updateRechecked = updateWith('last_verified_at', IS_AS_READ)

/**
 * Records a use that gives a key another state. A rejection counts, whatever was found meanwhile. It changes no row if the
 * key was rejected already.
 */
export const updateState = updateWith(
  'last_used_at',
  `(${IS_AS_READ} OR (?3 = 'rejected' AND 'rejected' NOT IN (?5, status)))`,
)

/** Records a use, unless one was recorded after `before`. It changes no row if the key is gone by now. */
export function updateUsed(
  { userId, identity }: Pick<KeyRow, 'userId' | 'identity'>,
  { at, before }: { at: string; before: string },
): Statement {
  return {
    sql: `UPDATE api_keys SET last_used_at = ?3
          WHERE ${READ_KEY} AND coalesce(last_used_at, '') <= ?4`,
    values: [userId, identity, at, before],
    changes: null,
  }
}
