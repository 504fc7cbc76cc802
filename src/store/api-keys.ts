/** The table `api_keys`: one row per sealed key. */

import type { SealedKey, Slot } from '../crypto/seal.ts'
import type { KeyStatus } from '../shared/slot.ts'
import type { Statement } from './d1.ts'
import { NOW } from './versions.ts'

/** The columns of a row that are needed to open its key. */
export interface SealedRow extends Slot, SealedKey {}

/** A row. Times are ISO 8601 in UTC. */
export interface KeyRow extends SealedRow {
  createdAt: string
  updatedAt: string
  status: KeyStatus
  lastUsedAt: string | null
  lastVerifiedAt: string | null
  /** Null for never. */
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
}

/** What uses are counted by, in UTC. */
export type Period = 'day' | 'month'

/** The row that a query of a user's keys returns for a user without keys. */
export interface UserWithoutKey {
  sealed: null
}

export const SEALED_COLUMNS =
  'user_id AS userId, provider, encrypted_api_key AS sealed, key_id AS kid'
/** The columns of a {@link KeyRow}. */
export const COLUMNS = `${SEALED_COLUMNS}, api_keys.created_at AS createdAt, updated_at AS updatedAt, status,
  last_used_at AS lastUsedAt,
  last_verified_at AS lastVerifiedAt, expires_at AS expiresAt, paused_at AS pausedAt, callers,
  max_uses AS maxUses, max_uses_per AS maxUsesPer, uses, uses_in AS usesIn`

/** The `provider` of each row that may hold a slot's key: the slot's own, and an older one that it replaces. */
export type RowNames = readonly [own: string] | readonly [own: string, older: string]

/** The slot's key; the later one if there are two. It returns no row if the user does not exist. */
export function selectKey(
  userId: string,
  [own, older]: RowNames,
): Statement<KeyRow | UserWithoutKey> {
  if (older === undefined) {
    return {
      sql: `SELECT ${COLUMNS} FROM users LEFT JOIN api_keys ON user_id = id AND provider = ?2
            WHERE id = ?1`,
      values: [userId, own],
    }
  }
  return {
    sql: `SELECT ${COLUMNS} FROM users LEFT JOIN api_keys ON user_id = id AND provider IN (?2, ?3)
          WHERE id = ?1 ORDER BY updated_at DESC, provider = ?2 DESC LIMIT 1`,
    values: [userId, own, older],
  }
}

/** All keys of the user. It returns no row if the user does not exist. */
export function selectKeys(userId: string): Statement<KeyRow | UserWithoutKey> {
  return {
    sql: `SELECT ${COLUMNS} FROM users LEFT JOIN api_keys ON user_id = id WHERE id = ?1`,
    values: [userId],
  }
}

/**
 * The end of an INSERT that replaces the slot's previous key. The new key has not been used. Its `updated_at` is
 * later than that of the previous one, even if both come in one millisecond: it is the version of the key.
 */
export const REPLACE_KEY = `ON CONFLICT (user_id, provider) DO UPDATE SET
  encrypted_api_key = excluded.encrypted_api_key, key_id = excluded.key_id,
  status = excluded.status, expires_at = excluded.expires_at, fingerprint = excluded.fingerprint, last_used_at = NULL, last_verified_at = NULL,
  updated_at = max(excluded.updated_at, coalesce(
    strftime('%Y-%m-%dT%H:%M:%fZ', api_keys.updated_at, '+0.001 seconds'), ''
  ))`

/** A key to save. */
interface NewRow extends SealedKey {
  status: KeyStatus
  /** When the request came: ISO 8601 in UTC. If it is null, D1's clock decides. */
  at: string | null
  /** ISO 8601 in UTC; null for never. */
  expiresAt: string | null
  fingerprint: string
}

/** Saves a key, and replaces the slot's previous one. It returns no row if the user does not exist. */
export function upsertKey(
  { userId, provider }: Slot,
  { sealed, kid, status, at, expiresAt, fingerprint }: NewRow,
): Statement<KeyRow> {
  return {
    sql: `INSERT INTO api_keys (
            user_id, provider, encrypted_api_key, key_id, status, updated_at, expires_at, fingerprint
          )
          SELECT id, ?2, ?3, ?4, ?5, coalesce(?6, ${NOW}), ?7, ?8
          FROM users WHERE id = ?1
          ${REPLACE_KEY}
          RETURNING ${COLUMNS}`,
    values: [userId, provider, sealed, kid, status, at, expiresAt, fingerprint],
  }
}

/** The key that was read from a row. Another one has another version, but this one may be sealed again. */
type ReadKey = Pick<KeyRow, 'userId' | 'provider' | 'updatedAt'>

const READ_KEY = 'user_id = ?1 AND provider = ?2 AND updated_at = ?3'

/** Records that a key was verified, and its status. It changes no row if the slot holds another key by now. */
export function updateVerified(
  { userId, provider, updatedAt }: ReadKey,
  { status, at }: { status: KeyStatus; at: string },
): Statement {
  return {
    sql: `UPDATE api_keys SET status = ?4, last_verified_at = ?5 WHERE ${READ_KEY}`,
    values: [userId, provider, updatedAt, status, at],
  }
}

/**
 * Records a use that gives a key another status than it had when it was read. A rejection counts in any case, anything
 * else only if the status is still the one that was read. It changes no row if the key is rejected already, or if the
 * slot holds another key by now.
 */
export function updateStatus(
  { userId, provider, updatedAt, status: before }: ReadKey & Pick<KeyRow, 'status'>,
  { status, at }: { status: KeyStatus; at: string },
): Statement {
  return {
    sql: `UPDATE api_keys SET status = ?4, last_used_at = ?5
          WHERE ${READ_KEY} AND status <> ?4 AND (?4 = 'rejected' OR status = ?6)`,
    values: [userId, provider, updatedAt, status, at, before],
  }
}

/** Records a use, unless one was recorded after `before`. It changes no row if the slot holds another key by now. */
export function updateUsed(
  { userId, provider, updatedAt }: ReadKey,
  { at, before }: { at: string; before: string },
): Statement {
  return {
    sql: `UPDATE api_keys SET last_used_at = ?4
          WHERE ${READ_KEY} AND coalesce(last_used_at, '') <= ?5`,
    values: [userId, provider, updatedAt, at, before],
  }
}

/** Moves the row that the slot's own one replaces to that name, so that its limits stay. Its key has to be replaced. */
export function takeOver(userId: string, [own, older = own]: RowNames): Statement {
  return {
    sql: 'UPDATE OR IGNORE api_keys SET provider = ?2 WHERE user_id = ?1 AND provider = ?3',
    values: [userId, own, older],
  }
}

/** Deletes the key in the slot. It changes no row if the slot is empty. */
export function deleteKey({ userId, provider }: Slot): Statement {
  return {
    sql: 'DELETE FROM api_keys WHERE user_id = ?1 AND provider = ?2',
    values: [userId, provider],
  }
}

/** The last row read so far, in the order of the primary key. */
export type Cursor = Slot

/** The position before the first row. */
export const START: Cursor = { userId: '', provider: '' }

/** Reads the next rows, at most `limit`. */
export function selectRowsAfter({ userId, provider }: Cursor, limit: number): Statement<SealedRow> {
  return {
    sql: `SELECT ${SEALED_COLUMNS} FROM api_keys
          WHERE (user_id, provider) > (?1, ?2) ORDER BY user_id, provider LIMIT ?3`,
    values: [userId, provider, limit],
  }
}

/** A new sealed key for a row, and the row that it was made from. */
export interface Resealed {
  row: SealedRow
  sealed: string
}

/** A resealed key, with its fingerprint under the same encryption key. */
export interface Rewrapped extends Resealed {
  fingerprint: string
}

/** Writes resealed keys with their fingerprints. A row that holds another key by now is left alone. */
export function swapKeys(kid: string, resealed: readonly Rewrapped[]): Statement {
  const swaps = resealed.map(({ row, sealed, fingerprint }) => [
    row.userId,
    row.provider,
    row.sealed,
    sealed,
    fingerprint,
  ])
  return {
    sql: `UPDATE api_keys SET encrypted_api_key = value ->> 3, key_id = ?2, fingerprint = value ->> 4
          FROM json_each(?1)
          WHERE user_id = value ->> 0 AND provider = value ->> 1
            AND encrypted_api_key = value ->> 2`,
    values: [JSON.stringify(swaps), kid],
  }
}

/** The most rows that one statement counts: counting them surely takes less than D1's 30 s. */
export const COUNTED_ROWS = 250_000

/** How many rows are stored under one kid, in one form. */
export interface KidCount {
  kid: string
  version: 'v1' | 'fernet' | 'unknown'
  rows: number
}

/** Counts the next rows, at most `limit`, by kid and form. */
export function countRowsAfter({ userId, provider }: Cursor, limit: number): Statement<KidCount> {
  return {
    sql: `SELECT kid, CASE
              WHEN substr(sealed, 1, 3) = 'v1.' THEN 'v1'
              WHEN substr(sealed, 1, 5) = 'gAAAA' THEN 'fernet'
              ELSE 'unknown'
            END AS version, count(*) AS rows
          FROM (
            SELECT ${SEALED_COLUMNS} FROM api_keys
            WHERE (user_id, provider) > (?1, ?2) ORDER BY user_id, provider LIMIT ?3
          ) GROUP BY 1, 2`,
    values: [userId, provider, limit],
  }
}

/** The slots of those of the next `limit` rows that are under one of `kids`, at most `most`. */
export function selectSlotsUnder(
  kids: readonly string[],
  { userId, provider }: Cursor,
  { limit, most }: { limit: number; most: number },
): Statement<Slot & { kid: string }> {
  return {
    sql: `SELECT userId, provider, kid FROM (
            SELECT ${SEALED_COLUMNS} FROM api_keys
            WHERE (user_id, provider) > (?1, ?2) ORDER BY user_id, provider LIMIT ?3
          ) WHERE kid IN (SELECT value FROM json_each(?4)) LIMIT ?5`,
    values: [userId, provider, limit, JSON.stringify(kids), most],
  }
}

/** The last of the next `count` rows. It returns no row if there are fewer. */
export function selectNthRowAfter({ userId, provider }: Cursor, count: number): Statement<Cursor> {
  return {
    sql: `SELECT user_id AS userId, provider FROM api_keys
          WHERE (user_id, provider) > (?1, ?2) ORDER BY user_id, provider LIMIT 1 OFFSET ?3`,
    values: [userId, provider, count - 1],
  }
}
