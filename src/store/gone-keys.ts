/**
 * Every deletion of a key or a user leaves a tombstone in the table `gone_keys`. The job copies the tombstones to the
 * second store, which remembers them if the database is restored: the table `heartbeat` tells that. A tombstone is a random
 * id. Without the second store the job never runs, and there are none.
 */

import type { Slot } from '../crypto/seal.ts'
import { NOW, type Statement } from './d1.ts'

/** The job runs every minute. If the heartbeat is older, it has not run, or the database was restored. */
const FRESH_S = 3 * 60

/** The one row of the table `heartbeat`. */
export interface Heartbeat {
  /** When the job last found nothing left to delete: ISO 8601 in UTC; empty before it has run. */
  at: string
  /** All deletions up to this number of the second store are applied here. */
  copied: number
  /** The seconds since `at` by the clock of D1, which wrote it; null before the job has run. */
  age: number | null
}

const AGE = "unixepoch('now') - unixepoch(at)"

/** Whether there is a second store, in SQL: its job has run. */
export const IS_WATCHED = "EXISTS (SELECT 1 FROM heartbeat WHERE at <> '')"
/** Whether the job has not run for some time, in SQL. */
export const IS_LATE = `EXISTS (SELECT 1 FROM heartbeat WHERE abs(${AGE}) >= ${FRESH_S})`

/** Why a key or a user goes. */
export type Cause = 'request' | 'expiry' | 'operator' | 'restore'

/** A subquery, with its values. */
export interface Selection {
  sql: string
  values: Statement['values']
  /** Whose rows it selects: see {@link Statement}. */
  changes?: Statement['changes']
}

/** A slot that a request empties, with all names of the slot. `isKnown`: it may be filled again. */
export interface EmptiedSlot {
  userId: string
  names: readonly string[]
  isKnown: boolean
}

/** What else a deletion notes: statements that run before it. */
export interface DeletionHook {
  /** The keys in the slots (`user_id`, `provider`) go. */
  keys: (slots: Selection) => Statement[]
  /** The users with these ids go. */
  users: (ids: Selection) => Statement[]
  /** A request empties a slot, which may have no key. */
  slot: (slot: EmptiedSlot) => Statement[]
  /** The user is added, maybe again. It runs after the statement that does so. */
  added: (userId: string) => Statement[]
  /** Reads what is noted about the user. */
  noted: (userId: string) => Statement<Note>[]
}

/** What is noted about a slot of a user. */
export interface Note {
  provider: string
  /** When the imported key was saved, or a key was deleted here; null without either. */
  savedAt: string | null
  /** The identity of the key that the import saved; null if it saved none. */
  keyIdentity: string | null
}

/** A tombstone for each `identity` that the query returns. It runs before the change that makes them go. */
function bury({ sql, values }: Selection, cause: Cause): Statement {
  return {
    sql: `INSERT INTO gone_keys (cause, identity)
          SELECT '${cause}', identity FROM (${sql}) WHERE ${IS_WATCHED} ON CONFLICT DO NOTHING`,
    values,
  }
}

/** A deletion or a replacement: the tombstones, then the change. */
export type Burial<Row> = [tombstones: Statement, change: Statement<Row>]

/** Deletes the keys in the `slots` (`user_id`, `provider`). It returns the slots that had one. */
export function deleteKeys({ sql, values, changes }: Selection, cause: Cause): Burial<Slot> {
  const keys = `FROM api_keys WHERE (user_id, provider) IN (${sql})`
  const deletion = { sql: `DELETE ${keys} RETURNING user_id AS userId, provider`, values }
  return [bury({ sql: `SELECT identity ${keys}`, values }, cause), { ...deletion, changes }]
}

/** Deletes the key in a slot. It returns the slot if it had one. */
export function deleteKey({ userId, provider }: Slot, cause: Cause): Burial<Slot> {
  const slot = { sql: 'VALUES (?1, ?2)', values: [userId, provider], changes: userId }
  return deleteKeys(slot, cause)
}

/** Makes a change that replaces the keys in the `slots` (`user_id`, `provider`). */
export function replaceKeys(
  { sql, values }: Selection,
  cause: Cause,
  change: Statement,
): Burial<never> {
  const keys = `SELECT identity FROM api_keys WHERE (user_id, provider) IN (${sql})`
  return [bury({ sql: keys, values }, cause), change]
}

/** Deletes the users with these ids, with all their keys (`ON DELETE CASCADE`). It returns each of them. */
export function deleteUsers(
  { sql, values, changes }: Selection,
  cause: Cause,
): Burial<{ userId: string }> {
  const going = `SELECT identity FROM users WHERE id IN (${sql})
    UNION ALL SELECT identity FROM api_keys WHERE user_id IN (${sql})`
  return [
    bury({ sql: going, values }, cause),
    {
      sql: `DELETE FROM users WHERE id IN (${sql}) RETURNING id AS userId`,
      values,
      changes,
    },
  ]
}

/** A save in a slot: the tombstone, then the statements of the save. */
export function replaceKey(
  { userId, provider }: Slot,
  save: readonly Statement<object>[],
): Statement<object>[] {
  const sql = 'SELECT identity FROM api_keys WHERE user_id = ?1 AND provider = ?2'
  return [bury({ sql, values: [userId, provider] }, 'request'), ...save]
}

/** The most tombstones without a cause that are copied. The vault makes none: somebody else wrote them. */
export const MAX_UNEXPLAINED = 1_000

/** A row of the table. */
export interface Tombstone {
  cause: Cause | ''
  identity: string
}

/** The tombstones of deletions that the vault made, at most `limit`, and the first ones without a cause. */
export function selectGone(limit: number): Statement<Tombstone> {
  return {
    sql: `SELECT * FROM (SELECT identity, cause FROM gone_keys WHERE cause > '' LIMIT ?1)
          UNION ALL
          SELECT * FROM (SELECT identity, cause FROM gone_keys WHERE cause = '' LIMIT ${MAX_UNEXPLAINED + 1})`,
    values: [limit],
  }
}

/** Returns a row if there are so many tombstones without a cause that they are held. */
export function selectHeld(): Statement<object> {
  return {
    sql: `SELECT 1 FROM gone_keys WHERE cause = '' LIMIT 1 OFFSET ${MAX_UNEXPLAINED}`,
    values: [],
  }
}

/** How many tombstones there are, and how many have no cause. The job soon empties the table. */
export function countGone(): Statement<{ count: number; unexplained: number }> {
  return {
    sql: "SELECT count(*) AS count, count(*) FILTER (WHERE cause = '') AS unexplained FROM gone_keys",
    values: [],
  }
}

/** Gives tombstones without a cause the cause `operator`, at most `limit`. */
export function confirmGone(limit: number): Statement {
  return {
    sql: `UPDATE gone_keys SET cause = 'operator' WHERE (cause, identity) IN (
            SELECT cause, identity FROM gone_keys WHERE cause = '' LIMIT ?1
          )`,
    values: [limit],
  }
}

/** Tombstones as one parameter: a JSON array of `[cause, identity]`. */
export function toGone(tombstones: readonly Tombstone[]): string {
  return JSON.stringify(tombstones.map(({ cause, identity }) => [cause, identity]))
}

/** Deletes the tombstones of {@link toGone}. */
export function forgetGone(gone: string): Statement {
  return {
    sql: `DELETE FROM gone_keys WHERE (cause, identity) IN (
            SELECT value ->> 0, value ->> 1 FROM json_each(?1)
          )`,
    values: [gone],
  }
}

export function selectHeartbeat(): Statement<Heartbeat> {
  return { sql: `SELECT at, copied, ${AGE} AS age FROM heartbeat`, values: [] }
}

/** A heartbeat far in the future proves nothing either: the clock of D1 was wrong when it was written. */
export function isRecent({ age }: Pick<Heartbeat, 'age'>): boolean {
  return age !== null && Math.abs(age) < FRESH_S
}

/**
 * Changes the row, if it still is as it was `read`. It comes right after `forgetGone(gone)`: if that found fewer
 * tombstones than were read, the database was restored meanwhile, and the row stays.
 */
export function updateHeartbeat(
  read: Pick<Heartbeat, 'at' | 'copied'>,
  { copied, isComplete }: { copied: number; isComplete: boolean },
  gone: string,
): Statement {
  return {
    sql: `UPDATE heartbeat SET
            at = CASE WHEN ?4 THEN ${NOW} ELSE at END,
            copied = ?3
          WHERE at = ?1 AND copied = ?2 AND changes() = json_array_length(?5)`,
    values: [read.at, read.copied, copied, isComplete ? 1 : 0, gone],
  }
}
