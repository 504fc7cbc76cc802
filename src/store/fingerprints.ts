/** Which keys a user has had before: the fingerprints in `api_keys`, and the table `known_keys`. */

import type { RowNames } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** Where a key was seen: in another slot, or among those that are gone. */
export interface KnownKey {
  /** The row of another slot with the same key; null for a key that is gone. */
  otherProvider: string | null
  /** Null for a key in another slot. */
  state: 'deleted' | 'rejected' | null
}

/** The most keys of a user that are remembered after they are gone. Later ones are not. */
export const MAX_KNOWN = 1_000
const HAS_ROOM = `${MAX_KNOWN} > (SELECT count(*) FROM known_keys WHERE user_id = ?1)`

/** Where the key with one of these fingerprints was seen, apart from the rows `names`. A stored key is not gone. */
export function selectKnown(
  userId: string,
  [own, older = own]: RowNames,
  fingerprints: readonly string[],
): Statement<KnownKey> {
  return {
    sql: `SELECT provider AS otherProvider, NULL AS state FROM api_keys
          WHERE user_id = ?1 AND provider NOT IN (?2, ?3)
            AND fingerprint IN (SELECT value FROM json_each(?4))
          UNION ALL
          SELECT NULL, state FROM known_keys
          WHERE user_id = ?1 AND fingerprint IN (SELECT value FROM json_each(?4))
            AND NOT EXISTS (
              SELECT 1 FROM api_keys
              WHERE user_id = ?1 AND fingerprint IN (SELECT value FROM json_each(?4))
            )`,
    values: [userId, own, older, JSON.stringify(fingerprints)],
  }
}

/**
 * Notes the keys in the rows `names`, which are deleted or replaced, unless the new key is the same. It must
 * come before the statement that does that.
 */
export function noteKnown(
  userId: string,
  [own, older = own]: RowNames,
  fingerprints: readonly string[] = [],
): Statement {
  return {
    sql: `INSERT INTO known_keys (user_id, fingerprint, state)
          SELECT user_id, fingerprint, CASE status WHEN 'rejected' THEN status ELSE 'deleted' END
          FROM api_keys WHERE user_id = ?1 AND provider IN (?2, ?3) AND fingerprint IS NOT NULL
            AND fingerprint NOT IN (SELECT value FROM json_each(?4)) AND ${HAS_ROOM}
          ON CONFLICT DO UPDATE SET state = excluded.state`,
    values: [userId, own, older, JSON.stringify(fingerprints)],
  }
}

/** Notes a key that its provider rejected before it was saved, if the user exists. */
export function noteRejected(userId: string, fingerprint: string): Statement {
  return {
    sql: `INSERT INTO known_keys (user_id, fingerprint, state)
          SELECT id, ?2, 'rejected' FROM users WHERE id = ?1 AND ${HAS_ROOM}
          ON CONFLICT DO UPDATE SET state = excluded.state`,
    values: [userId, fingerprint],
  }
}
