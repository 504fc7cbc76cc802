/** The version of a slot's key, which is its `updated_at`, and conditions on it. A later save has a later one. */

import type { RowNames } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** The time by the clock of D1, as versions have it: ISO 8601 in UTC. */
export const NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"

/** What must be true of a slot for a change to happen. */
export type Condition =
  | { kind: 'present' }
  | { kind: 'empty' }
  /** The key has one of these versions. */
  | { kind: 'one of'; versions: readonly string[] }
  /** The key is the one that was `seen`, or was saved by a request that came before `at`. */
  | { kind: 'not later'; seen: string | null; at: string }

const SLOT = `FROM users LEFT JOIN api_keys ON user_id = id AND provider IN (?2, ?3)
          WHERE id = ?1 GROUP BY id`

/** What a later change of a slot is compared with. */
export interface SeenVersion {
  isUser: 0 | 1
  /** Null for an empty slot. */
  version: string | null
  /** The time by the clock of D1, which also makes the versions. */
  at: string
}

/** The version and the time, also if the user does not exist. */
export function selectVersion(
  userId: string,
  [own, older = own]: RowNames,
): Statement<SeenVersion> {
  return {
    sql: `SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1) AS isUser,
            (SELECT max(updated_at) ${SLOT}) AS version,
            ${NOW} AS at`,
    values: [userId, own, older],
  }
}

/**
 * Fails unless the condition is true, so that nothing of its batch is done: see {@link CHANGED}. It does not
 * fail if the user does not exist.
 */
export function requireVersion(
  userId: string,
  [own, older = own]: RowNames,
  condition: Condition,
): Statement<object> {
  const [test, ...values] = testOf(condition)
  return {
    sql: `SELECT CASE WHEN ${test} THEN 1 ELSE json('changed ' || coalesce(version, '')) END
          FROM (SELECT max(updated_at) AS version ${SLOT})`,
    values: [userId, own, older, ...values],
  }
}

/** In the message of D1's error if {@link requireVersion} fails. No other statement has bad JSON in it. */
export const CHANGED = /malformed JSON/

/** The test in SQL, with the values of `?4` and `?5`. */
function testOf(condition: Condition): [test: string, ...values: (string | null)[]] {
  if (condition.kind === 'present') return ['version IS NOT NULL']
  if (condition.kind === 'empty') return ['version IS NULL']
  if (condition.kind === 'one of') {
    return ['version IN (SELECT value FROM json_each(?4))', JSON.stringify(condition.versions)]
  }
  return ['(version IS ?4 OR version <= ?5)', condition.seen, condition.at]
}
