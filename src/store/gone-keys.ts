/** The table `gone_keys`: the keys that are gone, until the job has copied them to the second store. */

import type { GoneKey } from '../shared/gone-key.ts'
import type { RowNames } from './api-keys.ts'
import type { Statement } from './d1.ts'
import { NOW } from './versions.ts'

/**
 * Notes that the rows of `source` go (`user_id`, `provider`, `updated_at`). It must come before the statement
 * that deletes or replaces them. Without the second store, the job never runs, and nothing is noted.
 */
export function noteGoneRows(source: string): string {
  return `INSERT INTO gone_keys (gone_at, user_id, provider, version)
          SELECT ${NOW}, user_id, provider, updated_at FROM (${source})
          WHERE EXISTS (SELECT 1 FROM heartbeat WHERE at <> '') ON CONFLICT DO NOTHING`
}

/** Notes that the keys in the rows `names` go. */
export function noteGoneVersions(userId: string, [own, older = own]: RowNames): Statement {
  const source = `SELECT user_id, provider, updated_at FROM api_keys
    WHERE user_id = ?1 AND provider IN (?2, ?3)`
  return { sql: noteGoneRows(source), values: [userId, own, older] }
}

/** Notes that the user goes, with all keys. */
export function noteUserGone(userId: string): Statement {
  const source = `SELECT user_id, provider, updated_at FROM api_keys WHERE user_id = ?1
    UNION ALL SELECT id, '', '' FROM users WHERE id = ?1`
  return { sql: noteGoneRows(source), values: [userId] }
}

/** The oldest keys of the table, at most `limit`. */
export function selectGone(limit: number): Statement<GoneKey> {
  return {
    sql: `SELECT gone_at AS goneAt, user_id AS userId, provider, version
          FROM gone_keys ORDER BY 1, 2, 3, 4 LIMIT ?1`,
    values: [limit],
  }
}

/** How many keys the table has. The job soon empties it. */
export function countGone(): Statement<{ count: number }> {
  return { sql: 'SELECT count(*) AS count FROM gone_keys', values: [] }
}

/** Keys as one parameter: a JSON array of `[userId, provider, version, goneAt]`. */
export type GoneKeys = string

export function toGoneKeys(keys: readonly GoneKey[]): GoneKeys {
  return JSON.stringify(
    keys.map(({ userId, provider, version, goneAt }) => [userId, provider, version, goneAt]),
  )
}

/** Deletes these keys from the table. */
export function forgetGone(keys: GoneKeys): Statement {
  return {
    sql: `DELETE FROM gone_keys WHERE (user_id, provider, version, gone_at) IN (
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)
          )`,
    values: [keys],
  }
}
