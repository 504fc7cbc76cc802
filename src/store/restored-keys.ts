/** The keys and users that are gone, and that a restored database has again. */

import { DEFAULT_SLOT } from '../shared/slot.ts'
import type { Statement } from './d1.ts'
import { DAYS, LATEST, noteRows, RETURNING_EVENT, type WrittenEvent } from './events.ts'
import type { GoneKeys } from './gone-keys.ts'
import { noteTimes } from './imported-keys.ts'
import { NOTE_REPLACED } from './kids.ts'
import { NOW } from './versions.ts'

/**
 * A key may have been moved from the default slot after the time to which the database was restored. One in a row that
 * was created later came back by an import.
 */
const KEYS = `json_each(?1) CROSS JOIN api_keys ON user_id = value ->> 0
    AND provider IN (value ->> 1, '${DEFAULT_SLOT}') AND updated_at = value ->> 2
    AND created_at <= value ->> 3`

/** A user who was added again later is another one. */
const USERS = `json_each(?1) CROSS JOIN users ON users.id = value ->> 0
    AND value ->> 1 = '' AND created_at <= value ->> 3`

/** Like `noteReplaced`. All statements here must come before {@link deleteRestoredKeys}. */
export function noteRestoredKids(keys: GoneKeys): Statement {
  return { sql: `${NOTE_REPLACED} (SELECT key_id FROM ${KEYS})`, values: [keys] }
}

/** Notes in the trail that the job deletes these keys. It returns the events. */
export function noteRestoredEvents(keys: GoneKeys): Statement<WrittenEvent> {
  const source = `SELECT DISTINCT ${NOW} AS at, user_id, provider, provider AS mark FROM ${KEYS}`
  return {
    sql: `${noteRows('deleted', 'job', source)} ${RETURNING_EVENT}`,
    values: [keys],
  }
}

/** Notes that no import brings them back. */
export function noteRestoredImports(keys: GoneKeys): Statement {
  return {
    sql: noteTimes(
      `SELECT user_id, provider, ${NOW} FROM ${KEYS} UNION SELECT users.id, '', '' FROM ${USERS}`,
    ),
    values: [keys],
  }
}

/** Deletes the keys. It returns one row for each. */
export function deleteRestoredKeys(keys: GoneKeys): Statement<{ userId: string }> {
  return {
    sql: `DELETE FROM api_keys WHERE (user_id, provider) IN (SELECT user_id, provider FROM ${KEYS})
          RETURNING user_id AS userId`,
    values: [keys],
  }
}

/** Deletes the events of the users that {@link deleteRestoredUsers} deletes. It must come before it. */
export function deleteRestoredEvents(keys: GoneKeys): Statement {
  return {
    sql: `${DAYS}
          DELETE FROM api_key_events
          WHERE day IN (SELECT day FROM days) AND user_id IN (SELECT users.id FROM ${USERS})`,
    values: [keys, LATEST],
  }
}

/** Deletes the users. It returns one row for each. */
export function deleteRestoredUsers(keys: GoneKeys): Statement<{ userId: string }> {
  return {
    sql: `DELETE FROM users WHERE id IN (SELECT users.id FROM ${USERS}) RETURNING id AS userId`,
    values: [keys],
  }
}
