/** The keys that expired some time ago. An index finds them, and holds no other keys. */

import type { Statement } from './d1.ts'
import { noteRows, RANDOM, RETURNING_EVENT, type WrittenEvent } from './events.ts'
import { noteGoneRows } from './gone-keys.ts'
import { noteTimes } from './imported-keys.ts'
import { NOTE_REPLACED } from './kids.ts'
import { NOW } from './versions.ts'

/** The most keys that a run deletes. */
export const DELETED_AT_ONCE = 100

/** Reads an index of keys that expire, and no other. */
const EXPIRED = `SELECT user_id, provider FROM api_keys
  WHERE expires_at IS NOT NULL AND expires_at < ?1 ORDER BY expires_at LIMIT ${DELETED_AT_ONCE}`

/** Like `noteReplaced`, for the keys that {@link deleteExpired} deletes. It must come before it. */
export function noteExpired(before: string): Statement {
  return {
    sql: `${NOTE_REPLACED} (
            SELECT key_id FROM api_keys WHERE (user_id, provider) IN (${EXPIRED})
          )`,
    values: [before],
  }
}

/** Notes that these keys go. It must come before {@link deleteExpired}. */
export function noteExpiredGone(before: string): Statement {
  const source = `SELECT user_id, provider, updated_at FROM api_keys
    WHERE (user_id, provider) IN (${EXPIRED})`
  return { sql: noteGoneRows(source), values: [before] }
}

/** Notes that no import brings these keys back. It must come before {@link deleteExpired}. */
export function noteExpiredDeleted(before: string): Statement {
  return {
    sql: noteTimes(`SELECT user_id, provider, ${NOW} FROM (${EXPIRED})`),
    values: [before],
  }
}

/** Notes in the trail that these keys are deleted. It must come before {@link deleteExpired}. */
export function noteExpiredEvents(before: string): Statement<WrittenEvent> {
  const source = `SELECT ${NOW} AS at, user_id, provider, ${RANDOM} AS mark FROM (${EXPIRED})`
  return {
    sql: `${noteRows('deleted', 'job', source)} ${RETURNING_EVENT}`,
    values: [before],
  }
}

/**
 * Notes in the trail that keys expired from `after` to `now`, once for each. It returns those that were not
 * noted before.
 */
export function noteExpirations(after: string, now: string): Statement<WrittenEvent> {
  const source = `SELECT expires_at AS at, user_id, provider, provider AS mark FROM api_keys
    WHERE expires_at IS NOT NULL AND expires_at > ?1 AND expires_at <= ?2`
  return {
    sql: `${noteRows('expired', 'job', source)} ON CONFLICT DO NOTHING ${RETURNING_EVENT}`,
    values: [after, now],
  }
}

/** Deletes keys that expired before `before`, the oldest first. It returns one row for each. */
export function deleteExpired(before: string): Statement<{ userId: string; provider: string }> {
  return {
    sql: `DELETE FROM api_keys WHERE (user_id, provider) IN (${EXPIRED})
          RETURNING user_id AS userId, provider`,
    values: [before],
  }
}
