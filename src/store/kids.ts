/** Which kids are stored. An index begins with the kid, so that each takes a few reads. */

import { SEALED_COLUMNS, type SealedRow } from './api-keys.ts'
import type { Slot } from '../crypto/seal.ts'
import { NOW, type Statement } from './d1.ts'

/** A table `kids` of the stored kids, in SQL. Its last row is null. */
export const KIDS = `WITH RECURSIVE kids (kid) AS (
    SELECT min(key_id) FROM api_keys
    UNION ALL
    SELECT (SELECT min(key_id) FROM api_keys WHERE key_id > kid) FROM kids WHERE kid IS NOT NULL
  )`

/** Every stored kid, sorted. It fails if the table of users is missing. */
export function selectKids(): Statement<{ kid: string }> {
  return {
    sql: `${KIDS} SELECT kid, EXISTS (SELECT 1 FROM users) FROM kids WHERE kid IS NOT NULL`,
    values: [],
  }
}

/** The rows under a kid. */
export interface UnderKid {
  /** At most the limit of {@link countUnder}. */
  rows: number
  /** When the latest of them was saved; null if there are none. An imported time in the future does not count. */
  latest: string | null
}

/** Counts the rows under the kid, at most `limit`. */
export function countUnder(kid: string, limit: number): Statement<UnderKid> {
  return {
    sql: `SELECT count(*) AS rows, max(updated_at) FILTER (WHERE updated_at <= ${NOW}) AS latest
          FROM (
            SELECT updated_at FROM api_keys WHERE key_id = ?1 LIMIT ?2
          )`,
    values: [kid, limit],
  }
}

/** A few rows under the kid. */
export function selectUnder(kid: string): Statement<SealedRow> {
  return { sql: `SELECT ${SEALED_COLUMNS} FROM api_keys WHERE key_id = ?1 LIMIT 3`, values: [kid] }
}

/** The slots of the rows under one of `kids`, at most `limit`. */
export function selectSlotsUnder(
  kids: readonly string[],
  limit: number,
): Statement<Slot & { kid: string }> {
  return {
    sql: `SELECT user_id AS userId, provider, key_id AS kid FROM api_keys
          WHERE key_id IN (SELECT value FROM json_each(?1)) LIMIT ?2`,
    values: [JSON.stringify(kids), limit],
  }
}
