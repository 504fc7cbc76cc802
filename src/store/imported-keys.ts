/** The table `imported_keys`: for each slot, the time up to which an import ignores keys. */

import { FERNET_KID } from '../crypto/keyring.ts'
import type { Slot } from '../crypto/seal.ts'
import { REPLACE_KEY, SEALED_COLUMNS, type SealedRow } from './api-keys.ts'
import type { Statement } from './d1.ts'
import { noteRows, RANDOM } from './events.ts'
import { noteGoneRows } from './gone-keys.ts'
import { MARK_IN_USE } from './kids.ts'
import { NOW } from './versions.ts'

/** A user of the previous backend, with the key for one slot. */
export interface ImportedKey extends Slot {
  /** A Fernet token; null for a user without a key. */
  token: string | null
  /** When the token was made, ISO 8601 in UTC; empty for a user without a key. */
  savedAt: string
}

/** Stands for a slot's name if the user was removed here. No import adds the user again. */
const REMOVED = ''

/**
 * Notes that the key in a slot is deleted here: no import brings an older key back. It must come before the
 * statement that deletes the key. If the slot is not `isKnown`, it is noted only if it has a key: a user can
 * make up any number of names.
 */
export function noteKeyDeleted(slot: Slot, isKnown: boolean): Statement {
  const isFilled = 'EXISTS (SELECT 1 FROM api_keys WHERE user_id = ?1 AND provider = ?2)'
  return note(slot, new Date().toISOString(), isKnown ? 'TRUE' : isFilled)
}

/** Notes that a user was removed here. It must come before the statement that deletes the user. */
export function noteUserRemoved(userId: string): Statement {
  return note({ userId, provider: REMOVED }, '')
}

/** Notes the time of each row of `source`: the user's id, the slot's name, and the time. */
export function noteTimes(source: string): string {
  return `INSERT INTO imported_keys (user_id, provider, saved_at) SELECT * FROM (${source}) WHERE TRUE
          ON CONFLICT (user_id, provider) DO UPDATE SET saved_at = excluded.saved_at`
}

function note({ userId, provider }: Slot, time: string, condition = 'TRUE'): Statement {
  return {
    sql: noteTimes(`SELECT id, ?2, ?3 FROM users WHERE id = ?1 AND ${condition}`),
    values: [userId, provider, time],
  }
}

/** Goes with the statement that adds a user: a removed user's keys may then be imported again. */
export function forgetRemoval(userId: string): Statement {
  return {
    sql: `DELETE FROM imported_keys WHERE user_id = ?1 AND EXISTS (
            SELECT 1 FROM imported_keys WHERE user_id = ?1 AND provider = '${REMOVED}'
          )`,
    values: [userId],
  }
}

/** The parameter of the statements below: a JSON array of `[userId, provider, savedAt, token]`. */
export type ImportedKeys = string

/** The keys as one parameter, which several statements share. */
export function toImportedKeys(keys: readonly ImportedKey[]): ImportedKeys {
  return JSON.stringify(
    keys.map(({ userId, provider, savedAt, token }) => [userId, provider, savedAt, token]),
  )
}

/** No import has brought this key of the JSON array yet. A slot without a name is {@link REMOVED}. */
const IS_NEW = `NOT EXISTS (
    SELECT 1 FROM imported_keys WHERE user_id = value ->> 0
      AND (provider = value ->> 1 AND saved_at >= value ->> 2 OR provider = '')
  )`

/** Adds the users that do not exist yet. It changes one row for each. */
export function insertImportedUsers(keys: ImportedKeys): Statement {
  return {
    sql: `INSERT INTO users (id) SELECT value ->> 0 FROM json_each(?1) WHERE ${IS_NEW}
          ON CONFLICT DO NOTHING`,
    values: [keys],
  }
}

/** Goes with {@link upsertImportedKeys}, before {@link upsertImported}. It writes only if there is a new key. */
export function noteImportedKid(keys: ImportedKeys): Statement {
  return {
    sql: `INSERT INTO key_ids (key_id) SELECT DISTINCT '${FERNET_KID}' FROM json_each(?1)
          WHERE ${IS_NEW} AND value ->> 3 IS NOT NULL ${MARK_IN_USE}`,
    values: [keys],
  }
}

/** Saves the tokens as keys, and replaces older keys. It changes one row for each. */
export function upsertImportedKeys(keys: ImportedKeys): Statement {
  return {
    sql: `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
          SELECT value ->> 0, value ->> 1, value ->> 3, '${FERNET_KID}', value ->> 2
          FROM json_each(?1) WHERE ${IS_NEW} AND value ->> 3 IS NOT NULL
          ${REPLACE_KEY}
          WHERE excluded.updated_at > api_keys.updated_at`,
    values: [keys],
  }
}

/** Notes that the keys go which {@link upsertImportedKeys} replaces. It must come before it. */
export function noteImportedGone(keys: ImportedKeys): Statement {
  const source = `SELECT user_id, provider, updated_at FROM json_each(?1)
    JOIN api_keys ON user_id = value ->> 0 AND provider = value ->> 1 AND updated_at < value ->> 2
    WHERE value ->> 3 IS NOT NULL AND ${IS_NEW}`
  return { sql: noteGoneRows(source), values: [keys] }
}

/** Notes the imported keys in the trail. It must come before {@link upsertImported}. */
export function noteImported(keys: ImportedKeys): Statement {
  const source = `SELECT ${NOW} AS at, user_id, provider, ${RANDOM} AS mark FROM json_each(?1)
    JOIN api_keys ON user_id = value ->> 0 AND provider = value ->> 1
      AND encrypted_api_key = value ->> 3
    WHERE ${IS_NEW}`
  return { sql: noteRows('imported', 'import', source), values: [keys] }
}

/** How many rows are searched for imported keys. No index finds them. */
const SAMPLED_ROWS = 100

/** A few of the first rows whose keys are still as they were imported. */
export function selectImportedKeys(): Statement<SealedRow> {
  return {
    sql: `SELECT * FROM (SELECT ${SEALED_COLUMNS} FROM api_keys ORDER BY 1, 2 LIMIT ?1)
          WHERE kid = '${FERNET_KID}' LIMIT 3`,
    values: [SAMPLED_ROWS],
  }
}

/** Records the time of each imported key. It changes one row for each new one. */
export function upsertImported(keys: ImportedKeys): Statement {
  const source = `SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1) WHERE ${IS_NEW}`
  return {
    sql: `${noteTimes(source)}
          WHERE excluded.saved_at > imported_keys.saved_at`,
    values: [keys],
  }
}
