/** The table `imported_keys`: up to when an import leaves the key in a slot alone. */

import { FERNET_KID } from '../crypto/keyring.ts'
import type { Slot } from '../crypto/seal.ts'
import { REPLACE_KEY, SEALED_COLUMNS, type SealedRow } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** A user of the previous backend, with the key for one slot. */
export interface ImportedKey extends Slot {
  /** A Fernet token; null for a user without a key. */
  token: string | null
  /** When the token was made, ISO 8601 in UTC; empty without one. */
  savedAt: string
}

/** In the place of a slot: the user was removed here, and no import brings the user back. */
const REMOVED = ''

/** After the key in a slot was deleted here, no import brings an older one back. */
export function noteKeyDeleted(slot: Slot): Statement {
  return note(slot, new Date().toISOString())
}

/** Goes before the statement that deletes the user: no import brings the user back. */
export function noteUserRemoved(userId: string): Statement {
  return note({ userId, provider: REMOVED }, '')
}

function note({ userId, provider }: Slot, time: string): Statement {
  return {
    sql: `INSERT INTO imported_keys (user_id, provider, saved_at)
          SELECT id, ?2, ?3 FROM users WHERE id = ?1
          ON CONFLICT (user_id, provider) DO UPDATE SET saved_at = excluded.saved_at`,
    values: [userId, provider, time],
  }
}

/** Goes with the statement that adds a user: one who was removed may be imported again, with all keys. */
export function forgetRemoval(userId: string): Statement {
  return {
    sql: `DELETE FROM imported_keys WHERE user_id = ?1 AND EXISTS (
            SELECT 1 FROM imported_keys WHERE user_id = ?1 AND provider = '${REMOVED}'
          )`,
    values: [userId],
  }
}

/** Keys as the statements below take them: a JSON array of `[userId, provider, savedAt, token]`. */
export type ImportedKeys = string

/** Keys as one value of a statement, made once for all of them. */
export function toImportedKeys(keys: readonly ImportedKey[]): ImportedKeys {
  return JSON.stringify(
    keys.map(({ userId, provider, savedAt, token }) => [userId, provider, savedAt, token]),
  )
}

/** Of the keys in the JSON array, those that no import has brought yet. */
const NEW_KEYS = `FROM json_each(?1) WHERE NOT EXISTS (
    SELECT 1 FROM imported_keys WHERE user_id = value ->> 0
      AND (provider = value ->> 1 AND saved_at >= value ->> 2 OR provider = '${REMOVED}')
  )`

/** Adds users that are not there yet. It changes a row for each. */
export function insertImportedUsers(keys: ImportedKeys): Statement {
  return {
    sql: `INSERT INTO users (id) SELECT value ->> 0 ${NEW_KEYS} ON CONFLICT DO NOTHING`,
    values: [keys],
  }
}

/** Saves their tokens as keys, over older ones. It changes a row for each. */
export function upsertImportedKeys(keys: ImportedKeys): Statement {
  return {
    sql: `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
          SELECT value ->> 0, value ->> 1, value ->> 3, '${FERNET_KID}', value ->> 2
          ${NEW_KEYS} AND value ->> 3 IS NOT NULL
          ${REPLACE_KEY}
          WHERE excluded.updated_at > api_keys.updated_at`,
    values: [keys],
  }
}

/** Rows that are looked through for imported keys: D1 has no index that finds them. */
const SAMPLED_ROWS = 100

/** A few keys that are still as they were imported, of the first rows. */
export function selectImportedKeys(): Statement<SealedRow> {
  return {
    sql: `SELECT * FROM (SELECT ${SEALED_COLUMNS} FROM api_keys ORDER BY 1, 2 LIMIT ?1)
          WHERE kid = '${FERNET_KID}' LIMIT 3`,
    values: [SAMPLED_ROWS],
  }
}

/** Remembers how far each was imported. It changes a row for each that was new. */
export function upsertImported(keys: ImportedKeys): Statement {
  return {
    sql: `INSERT INTO imported_keys (user_id, provider, saved_at)
          SELECT value ->> 0, value ->> 1, value ->> 2 ${NEW_KEYS}
          ON CONFLICT (user_id, provider) DO UPDATE SET saved_at = excluded.saved_at
          WHERE excluded.saved_at > imported_keys.saved_at`,
    values: [keys],
  }
}
