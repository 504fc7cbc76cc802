/** The table `imported_users`: up to when an import leaves a user's key alone. */

import { FERNET_KID } from '../crypto/keyring.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { REPLACE_KEY } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** A user of the previous backend. */
export interface ImportedUser {
  id: string
  /** A Fernet token; null for a user without a key. */
  token: string | null
  /** When the token was made, ISO 8601 in UTC; empty without one. */
  savedAt: string
}

/** Later than any key: an import never brings a removed user back. */
const FOR_EVER = '9999-12-31T23:59:59.999Z'

/** After the user's key was deleted here, no import brings an older one back. */
export function noteKeyDeleted(userId: string): Statement {
  return noteUntil(userId, new Date().toISOString())
}

/** Goes before the statement that deletes the user: no import brings the user back. */
export function noteUserRemoved(userId: string): Statement {
  return noteUntil(userId, FOR_EVER)
}

function noteUntil(userId: string, time: string): Statement {
  return {
    sql: `INSERT INTO imported_users (id, saved_at) SELECT id, ?2 FROM users WHERE id = ?1
          ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at`,
    values: [userId, time],
  }
}

/** Goes with the statement that adds a user: one who was removed may be imported again. */
export function forgetRemoval(userId: string): Statement {
  return {
    sql: 'DELETE FROM imported_users WHERE id = ?1 AND saved_at = ?2',
    values: [userId, FOR_EVER],
  }
}

/** Users as the statements below take them: a JSON array of `[id, savedAt, token]`. */
export type ImportedUsers = string

/** Users as one value of a statement, made once for all of them. */
export function toImportedUsers(users: readonly ImportedUser[]): ImportedUsers {
  return JSON.stringify(users.map(({ id, savedAt, token }) => [id, savedAt, token]))
}

/** Of the users in the JSON array of `[id, savedAt, token]`, those that no import has brought yet. */
const NEW_USERS = `FROM json_each(?1) WHERE NOT EXISTS (
    SELECT 1 FROM imported_users WHERE id = value ->> 0 AND saved_at >= value ->> 1
  )`

/** Adds users that are not there yet. It changes a row for each. */
export function insertImportedUsers(users: ImportedUsers): Statement {
  return {
    sql: `INSERT INTO users (id) SELECT value ->> 0 ${NEW_USERS} ON CONFLICT DO NOTHING`,
    values: [users],
  }
}

/** Saves their tokens as keys, over older ones. It changes a row for each. */
export function upsertImportedKeys(users: ImportedUsers): Statement {
  return {
    sql: `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at)
          SELECT value ->> 0, '${DEFAULT_SLOT}', value ->> 2, '${FERNET_KID}', value ->> 1
          ${NEW_USERS} AND value ->> 2 IS NOT NULL
          ${REPLACE_KEY}
          WHERE excluded.updated_at > api_keys.updated_at`,
    values: [users],
  }
}

/** Remembers how far each was imported. It changes a row for each that was new. */
export function upsertImported(users: ImportedUsers): Statement {
  return {
    sql: `INSERT INTO imported_users (id, saved_at)
          SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE TRUE
          ON CONFLICT (id) DO UPDATE SET saved_at = excluded.saved_at
          WHERE excluded.saved_at > imported_users.saved_at`,
    values: [users],
  }
}
