/** The table `imported_keys`: a time for each slot. An import skips keys that were saved up to that time. */

import type { Slot } from '../crypto/seal.ts'
import { REPLACE_KEY } from '../store/api-keys.ts'
import { noteRows } from '../store/noted-events.ts'
import {
  replaceKeys,
  type Burial,
  type DeletionHook,
  type EmptiedSlot,
  type Note,
  type Selection,
} from '../store/gone-keys.ts'
import { afterLabelled } from '../store/slot-order.ts'
import { BULK_DEADLINE_MS, NOW, runBatch, type BatchResults, type Statement } from '../store/d1.ts'
import { FERNET_KID } from './fernet.ts'
import {
  forgetRemoved,
  IS_REMOVED,
  NO_HMACS,
  noteRemoved,
  requireHmacs,
  withHmacs,
  type Hmacs,
} from './removed-users.ts'

/** A user of the Flask backend, with the key for one slot. */
export interface ImportedKey extends Slot {
  /** A Fernet token; null for a user without a key. */
  token: string | null
  /** When the token was made, ISO 8601 in UTC; empty for a user without a key. */
  savedAt: string
}

/** Notes the times of `rows` (`user_id`, `provider`, a time, the key's identity). A time that is noted never goes back. */
function mark({ sql, values }: Selection): Statement {
  return {
    sql: `INSERT INTO imported_keys (user_id, provider, saved_at, key_identity) SELECT * FROM (${sql}) WHERE TRUE
          ON CONFLICT (user_id, provider) DO UPDATE SET saved_at = excluded.saved_at, key_identity = excluded.key_identity
          WHERE excluded.saved_at > imported_keys.saved_at`,
    values,
  }
}

/** What the vault notes of a deletion, so that no import brings back what is gone. */
export function importHook(isImporting: boolean, hmacs: Hmacs): DeletionHook {
  return {
    keys: (slots) => [markDeleted(slots, isImporting)],
    users: (ids) => [noteRemoved(ids, isImporting ? 'TRUE' : WAS_IMPORTED, hmacs), forgetKeys(ids)],
    slot: (slot) => (isImporting ? [markSlotDeleted(slot)] : []),
    added: (userId) => [requireHmacs(hmacs), forgetRemoved(userId, hmacs)],
    noted: (userId) => [selectMarks(userId)],
  }
}

/** Whether the user `id` came from an import, in SQL. */
const WAS_IMPORTED = 'EXISTS (SELECT 1 FROM imported_keys WHERE user_id = id)'

/**
 * Notes that the keys in the `slots` (`user_id`, `provider`) are deleted here: no import brings them back. If no import
 * is under way, it notes only those that one has brought.
 */
function markDeleted({ sql, values }: Selection, isImporting: boolean): Statement {
  const wasImported = `EXISTS (
    SELECT 1 FROM imported_keys WHERE user_id = slots.user_id AND provider = slots.provider
  )`
  const which = isImporting ? '' : `WHERE ${wasImported}`
  return mark({
    sql: `SELECT user_id, provider, ${NOW}, NULL FROM (${sql}) AS slots ${which}`,
    values,
  })
}

/**
 * Notes that a request empties a slot. The Flask backend may know its key by another one of the names. If the slot is not
 * `isKnown`, it is noted only if it has a key: a user can make up any number of names.
 */
function markSlotDeleted({ userId, names, isKnown }: EmptiedSlot): Statement {
  const isFilled = 'EXISTS (SELECT 1 FROM api_keys WHERE user_id = ?1 AND provider = value)'
  const slots = `SELECT users.id AS user_id, value AS provider FROM users, json_each(?2)
    WHERE users.id = ?1 AND ${isKnown ? 'TRUE' : isFilled}`
  return markDeleted({ sql: slots, values: [userId, JSON.stringify(names)] }, true)
}

/** Forgets the keys of the users with these ids, who are removed: they may be imported again if the user is added again. */
function forgetKeys({ sql, values }: Selection): Statement {
  return { sql: `DELETE FROM imported_keys WHERE user_id IN (${sql})`, values }
}

/** Forgets at most `limit` keys, when nothing will be imported any more. */
export function forgetImported(limit: number): Statement {
  return {
    sql: `DELETE FROM imported_keys WHERE (user_id, provider) IN (
            SELECT user_id, provider FROM imported_keys LIMIT ?1
          )`,
    values: [limit],
  }
}

/** The rows of the user, by slot. */
function selectMarks(userId: string): Statement<Note> {
  return {
    sql: `SELECT provider, nullif(saved_at, '') AS savedAt, key_identity AS keyIdentity
          FROM imported_keys WHERE user_id = ?1 ORDER BY provider`,
    values: [userId],
  }
}

/** What an import takes from its JSON array. A constant would be in the Worker too, which imports nothing. */
function chooseRows() {
  const isNew = `NOT EXISTS (
    SELECT 1 FROM imported_keys
    WHERE user_id = value ->> 0 AND provider = value ->> 1 AND saved_at >= value ->> 2
  ) AND NOT ${IS_REMOVED('value ->> 4')}`
  const isSaved =
    'user_id = value ->> 0 AND provider = value ->> 1 AND encrypted_api_key = value ->> 3'
  return {
    /** No import has brought this key yet, and its user was not removed. */
    isNew,
    /** The new keys, without those in slots with a later one. */
    newKeys: `json_each(?1) WHERE ${isNew} AND value ->> 3 IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM api_keys
      WHERE user_id = value ->> 0 AND provider = value ->> 1 AND updated_at >= value ->> 2
    )`,
    /** The row of a key that was just written. */
    isSaved,
    /** The keys that were just written. */
    imported: `SELECT user_id, provider FROM json_each(?1) JOIN api_keys ON ${isSaved} WHERE ${isNew}`,
  }
}

/** The statements of an import, in one transaction. */
export type Import = [
  users: Statement,
  ...keys: Burial<never>,
  events: Statement,
  asks: Statement,
  marks: Statement,
  check: Statement,
]

/** Imports keys, in one transaction. @throws as `runBatch` */
export async function importRows(
  db: D1Database,
  keys: readonly ImportedKey[],
): Promise<BatchResults<Import>> {
  const userIds = keys.map(({ userId }) => userId)
  return withHmacs(db, userIds, async (hmacs) => {
    return runBatch(db, importKeys(keys, hmacs), BULK_DEADLINE_MS)
  })
}

/**
 * Imports keys. `hmacs` has their users: with {@link NO_HMACS}, it fails if there are removed users. The transaction changes
 * a row for each new user, each imported key, and each key that no import has brought before. A key that was saved here
 * later stays.
 */
export function importKeys(keys: readonly ImportedKey[], hmacs: Hmacs = NO_HMACS): Import {
  const rows = keys.map(({ userId, provider, savedAt, token }) => [
    userId,
    provider,
    savedAt,
    token,
    hmacs.byId.get(userId) ?? null,
  ])
  const values = [JSON.stringify(rows)]
  const { isNew, isSaved, newKeys, imported } = chooseRows()
  const slots = `SELECT value ->> 0 AS user_id, value ->> 1 AS provider FROM ${newKeys}`
  return [
    {
      sql: `INSERT INTO users (id) SELECT value ->> 0 FROM json_each(?1) WHERE ${isNew}
            ON CONFLICT DO NOTHING`,
      values,
    },
    ...replaceKeys({ sql: slots, values }, 'operator', {
      sql: `INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, updated_at, position)
            SELECT value ->> 0, value ->> 1, value ->> 3, '${FERNET_KID}', value ->> 2,
              ${afterLabelled('value ->> 0', 'value ->> 1')} FROM ${newKeys}
            ${REPLACE_KEY} WHERE excluded.updated_at > api_keys.updated_at`,
      values,
    }),
    noteRows({ event: 'imported', by: 'import' }, { sql: imported, values }),
    askAfterImport(),
    mark({
      sql: `SELECT value ->> 0, value ->> 1, value ->> 2, identity FROM json_each(?1) LEFT JOIN api_keys ON ${isSaved}
            WHERE ${isNew}`,
      values,
    }),
    requireHmacs(hmacs),
  ]
}

/**
 * Asks for another pass if the statement before it in the transaction has marked imported keys. Their times do not tell them
 * from the rows that did not open, so nobody can count those any more.
 */
function askAfterImport(): Statement {
  return {
    sql: `UPDATE rewrap SET asked_at = ${NOW}, counts = json_remove(counts, '$.${FERNET_KID}.lost')
          WHERE changes() > 0`,
    values: [],
  }
}
