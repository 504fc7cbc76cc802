/** The table `key_ids`: every kid that rows are or were sealed under. It saves a scan of all rows. */

import type { Slot } from '../crypto/seal.ts'
import type { Statement } from './d1.ts'

/**
 * `in_use`: a row may have been written under the kid since the rewrap job's pass began.
 * `settled`: no row was written under it since then. `unused`: the pass also left no row under it, except rows that
 * its own encryption key does not open.
 */
export type KidState = 'in_use' | 'settled' | 'unused'

/** The end of a statement that notes a kid. */
export const MARK_IN_USE =
  "ON CONFLICT (key_id) DO UPDATE SET state = 'in_use' WHERE state <> 'in_use'"

/** Goes with every statement that writes a row under `kid`. It writes only at the kid's first use. */
export function noteKid(kid: string): Statement {
  return { sql: `INSERT INTO key_ids (key_id) VALUES (?1) ${MARK_IN_USE}`, values: [kid] }
}

/**
 * Notes the kids of all rows, since some may have been restored or written by hand. It leaves out a kid of which only
 * those rows are left that its own encryption key does not open.
 */
export function noteAllKids(): Statement {
  return {
    sql: `INSERT INTO key_ids (key_id) SELECT key_id FROM api_keys WHERE TRUE GROUP BY key_id
          HAVING count(*) > coalesce((
            SELECT count.value ->> 'lost' FROM rewrap, json_each(counts) AS count
            WHERE count.key = key_id
          ), 0)
          ${MARK_IN_USE}`,
    values: [],
  }
}

/** The beginning of a statement that ends in the kids of the rows that go. */
export const NOTE_REPLACED =
  "UPDATE key_ids SET state = 'in_use' WHERE state = 'settled' AND key_id IN"

/**
 * Goes before every statement that replaces or deletes the key in a slot. The old row may be the last
 * one of its kid that did not open, so the rewrap job has to look again.
 */
export function noteReplaced({ userId, provider }: Slot): Statement {
  return {
    sql: `${NOTE_REPLACED} (SELECT key_id FROM api_keys WHERE user_id = ?1 AND provider = ?2)`,
    values: [userId, provider],
  }
}

/** Like {@link noteReplaced}, for all slots of a user. */
export function noteUserDeleted(userId: string): Statement {
  return {
    sql: `${NOTE_REPLACED} (SELECT key_id FROM api_keys WHERE user_id = ?1)`,
    values: [userId],
  }
}

/** Like {@link noteReplaced}, for each slot in a JSON array of `[userId, provider, …]`. */
export function noteAllReplaced(slots: string): Statement {
  return {
    sql: `${NOTE_REPLACED} (
            SELECT key_id FROM json_each(?1), api_keys
            WHERE user_id = value ->> 0 AND provider = value ->> 1
          )`,
    values: [slots],
  }
}

/**
 * The kids that stored keys may need. It fails if a table that the key routes use is missing.
 */
export function selectNeededKids(): Statement<{ kid: string }> {
  return {
    sql: `SELECT key_id AS kid, EXISTS (SELECT 1 FROM users), EXISTS (SELECT 1 FROM api_keys)
          FROM key_ids WHERE state <> 'unused'`,
    values: [],
  }
}

/** Every kid and its state, sorted by kid. */
export function selectKids(): Statement<{ kid: string; state: KidState }> {
  return { sql: 'SELECT key_id AS kid, state FROM key_ids ORDER BY key_id', values: [] }
}

/** Runs at the beginning of a pass. A later write sets its kid to `in_use` again. */
export function settleKids(): Statement {
  return { sql: "UPDATE key_ids SET state = 'settled' WHERE state = 'in_use'", values: [] }
}

/** Runs at the end of the pass at `revision`: a kid under which it left no row, or only lost ones, is unused. */
export function releaseKids(revision: number): Statement {
  return {
    sql: `UPDATE key_ids SET state = 'unused' WHERE state = 'settled'
            AND EXISTS (SELECT 1 FROM rewrap WHERE revision = ?1 AND finished_at IS NOT NULL)
            AND NOT EXISTS (
              SELECT 1 FROM rewrap, json_each(counts) AS count
              WHERE count.key = key_id
                AND count.value ->> 'unopenable' > coalesce(count.value ->> 'lost', 0)
            )`,
    values: [revision],
  }
}
