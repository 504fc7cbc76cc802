/** The table `key_ids`: every kid that rows are or were sealed under, so that nobody has to scan them. */

import type { Slot } from '../crypto/seal.ts'
import type { Statement } from './d1.ts'

/**
 * `in_use`: a row may have been written under the kid since the rewrap job's pass began.
 * `settled`: no row has been. `unused`: and the pass left no row under it.
 */
export type KidState = 'in_use' | 'settled' | 'unused'

const MARK_IN_USE = "ON CONFLICT (key_id) DO UPDATE SET state = 'in_use' WHERE state <> 'in_use'"

/** Goes with every statement that writes a row under `kid`. Only a kid's first use writes. */
export function noteKid(kid: string): Statement {
  return { sql: `INSERT INTO key_ids (key_id) VALUES (?1) ${MARK_IN_USE}`, values: [kid] }
}

/** Notes the kids of all rows: some may have been restored or written by hand. */
export function noteAllKids(): Statement {
  return {
    sql: `INSERT INTO key_ids (key_id) SELECT DISTINCT key_id FROM api_keys WHERE TRUE ${MARK_IN_USE}`,
    values: [],
  }
}

const NOTE_REPLACED = "UPDATE key_ids SET state = 'in_use' WHERE state = 'settled' AND key_id IN"

/**
 * Goes before every statement that replaces or deletes the key in a slot. A row that did not open may
 * be the last of its kid: the rewrap job then looks again.
 */
export function noteReplaced({ userId, provider }: Slot): Statement {
  return {
    sql: `${NOTE_REPLACED} (SELECT key_id FROM api_keys WHERE user_id = ?1 AND provider = ?2)`,
    values: [userId, provider],
  }
}

/** As {@link noteReplaced}, for all slots of a user. */
export function noteUserDeleted(userId: string): Statement {
  return {
    sql: `${NOTE_REPLACED} (SELECT key_id FROM api_keys WHERE user_id = ?1)`,
    values: [userId],
  }
}

/** As {@link noteReplaced}, for each slot in a JSON array of `[userId, provider, …]`. */
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
 * The kids that stored keys may need. It fails if one of the tables of the key routes is missing.
 */
export function selectNeededKids(): Statement<{ kid: string }> {
  return {
    sql: `SELECT key_id AS kid, EXISTS (SELECT 1 FROM users), EXISTS (SELECT 1 FROM api_keys)
          FROM key_ids WHERE state <> 'unused'`,
    values: [],
  }
}

/** Every kid and its state, by kid. */
export function selectKids(): Statement<{ kid: string; state: KidState }> {
  return { sql: 'SELECT key_id AS kid, state FROM key_ids ORDER BY key_id', values: [] }
}

/** At the beginning of a pass: from here on, a write puts its kid in use again. */
export function settleKids(): Statement {
  return { sql: "UPDATE key_ids SET state = 'settled' WHERE state = 'in_use'", values: [] }
}

/** At the end of the pass that is at `revision`: a kid under which it left nothing is unused. */
export function releaseKids(revision: number): Statement {
  return {
    sql: `UPDATE key_ids SET state = 'unused' WHERE state = 'settled'
            AND EXISTS (SELECT 1 FROM rewrap WHERE revision = ?1 AND finished_at IS NOT NULL)
            AND NOT EXISTS (
              SELECT 1 FROM rewrap, json_each(counts) AS count
              WHERE count.key = key_id AND count.value ->> 'unopenable' > 0
            )`,
    values: [revision],
  }
}
