/** What the owner of a key allows: the columns of `api_keys` that say who may use it, and how often. */

import type { Period, RowNames } from './api-keys.ts'
import type { Statement } from './d1.ts'
import { NOW } from './versions.ts'

/** Who uses a key, and when: the current day and month in UTC, such as `2026-11-25` and `2026-11`. */
export interface CountedUse {
  caller: string | null
  now: string
  periods: Record<Period, string>
}

/**
 * Counts a use of a key whose uses are limited, if its owner allows this one. It returns a row for each key in
 * which it was counted. D1 runs one statement after the other, so the limit is exact.
 */
export function countUse(
  userId: string,
  [own, older = own]: RowNames,
  { caller, now, periods }: CountedUse,
): Statement<{ provider: string }> {
  const period = "CASE max_uses_per WHEN 'day' THEN ?6 ELSE ?7 END"
  return {
    // The clock of another isolate may already be in the next period.
    sql: `UPDATE api_keys SET
            uses = CASE WHEN uses_in >= ${period} THEN uses + 1 ELSE 1 END,
            uses_in = max(coalesce(uses_in, ''), ${period})
          WHERE user_id = ?1 AND provider IN (?2, ?3) AND max_uses > 0
            AND paused_at IS NULL
            AND (callers IS NULL OR ?4 IN (SELECT value FROM json_each(callers)))
            AND (expires_at IS NULL OR expires_at > ?5)
            AND (uses < max_uses OR coalesce(uses_in, '') < ${period})
          RETURNING provider`,
    values: [userId, own, older, caller, now, periods.day, periods.month],
  }
}

/** What changes of a key's limits. What is undefined stays as it is, and null removes it. */
export interface NewLimits {
  isPaused?: boolean | undefined
  callers?: readonly string[] | null | undefined
  maxUses?: { count: number; per: Period } | null | undefined
  /** ISO 8601 in UTC. */
  expiresAt?: string | null | undefined
}

const change = (column: string, field: string) =>
  `${column} = CASE WHEN json_type(?4, '$.${field}') IS NULL THEN ${column} ELSE ?4 ->> '${field}' END`

/** Changes the limits of the keys in the rows `names`. Another period begins to count anew. */
export function updateLimits(
  userId: string,
  [own, older = own]: RowNames,
  { isPaused, callers, maxUses, expiresAt }: NewLimits,
): Statement {
  const { count, per } = maxUses === null ? { count: null, per: null } : (maxUses ?? {})
  return {
    sql: `UPDATE api_keys SET
            paused_at = CASE json_type(?4, '$.isPaused')
              WHEN 'true' THEN coalesce(paused_at, ${NOW})
              WHEN 'false' THEN NULL
              ELSE paused_at
            END,
            ${change('callers', 'callers')},
            ${change('expires_at', 'expiresAt')},
            ${change('max_uses', 'count')},
            ${change('max_uses_per', 'per')},
            uses = CASE
              WHEN json_type(?4, '$.per') IS NULL OR max_uses_per = ?4 ->> 'per' THEN uses ELSE 0
            END,
            uses_in = CASE
              WHEN json_type(?4, '$.per') IS NULL OR max_uses_per = ?4 ->> 'per' THEN uses_in
            END
          WHERE user_id = ?1 AND provider IN (?2, ?3)`,
    values: [userId, own, older, JSON.stringify({ isPaused, callers, expiresAt, count, per })],
  }
}
