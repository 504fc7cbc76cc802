/** Reads all rows of `api_keys` in the order of their primary key, and writes those that were sealed again. */

import type { Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { SEALED_COLUMNS, type SealedRow } from './api-keys.ts'
import { NOW, type Statement } from './d1.ts'

/** The last row read so far. */
export type Cursor = Slot

/** The position before the first row. */
export const START: Cursor = { userId: '', provider: '' }

const FROM_NEXT = `FROM api_keys
  WHERE (user_id, provider) > (?1, ?2) ORDER BY user_id, provider LIMIT ?3`

/** A row, and whether it has to move to a slot that has a key already. */
export interface ScannedRow extends SealedRow {
  /** 1 if it is a key of the plain route, and its user has one in the slot `target` too. */
  meets: 0 | 1
}

/** Reads the next rows, at most `limit`. The plain route's keys move to the slot `target`, if there is one. */
export function selectRowsAfter(
  { userId, provider }: Cursor,
  limit: number,
  target: string | null = null,
): Statement<ScannedRow> {
  const other = 'other.user_id = api_keys.user_id AND other.provider = ?4'
  const meets = `provider = '${DEFAULT_SLOT}' AND EXISTS (SELECT 1 FROM api_keys AS other WHERE ${other})`
  return {
    sql: `SELECT ${SEALED_COLUMNS}, ${meets} AS meets ${FROM_NEXT}`,
    values: [userId, provider, limit, target],
  }
}

/** A new sealed key for a row, and the row that it was made from. */
export interface Resealed {
  row: SealedRow
  sealed: string
}

/** A resealed key, with its fingerprint under the same encryption key; null for a short key. */
export interface Rewrapped extends Resealed {
  fingerprint: string | null
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
  /** When the latest of them was saved; null if all times are in the future. */
  latest: string | null
}

/** Counts the next rows, at most `limit`, by kid and form. */
export function countRowsAfter({ userId, provider }: Cursor, limit: number): Statement<KidCount> {
  return {
    sql: `SELECT kid, CASE
              WHEN substr(sealed, 1, 3) = 'v1.' THEN 'v1'
              WHEN substr(sealed, 1, 5) = 'gAAAA' THEN 'fernet'
              ELSE 'unknown'
            END AS version, count(*) AS rows, max(updated_at) FILTER (WHERE updated_at <= ${NOW}) AS latest
          FROM (SELECT ${SEALED_COLUMNS}, updated_at ${FROM_NEXT}) GROUP BY 1, 2`,
    values: [userId, provider, limit],
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
