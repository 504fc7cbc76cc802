/**
 * Every deletion of a key or a user, with its tombstone in the table `gone_keys`: the job copies the tombstones to the
 * second store, which remembers them if the database is restored. A tombstone is a random id. Without the second store
 * the job never runs, and there are none.
 */

import type { Slot } from '../crypto/seal.ts'
import { IS_WATCHED } from './heartbeat.ts'
import type { Statement } from './d1.ts'
import { insertUser } from './users.ts'

/** Why a key or a user goes. */
export type Cause = 'request' | 'expiry' | 'operator' | 'restore'

/** A subquery, with its values. */
export interface Selection {
  sql: string
  values: Statement['values']
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
export function deleteKeys({ sql, values }: Selection, cause: Cause): Burial<Slot> {
  const keys = `FROM api_keys WHERE (user_id, provider) IN (${sql})`
  return [
    bury({ sql: `SELECT identity ${keys}`, values }, cause),
    { sql: `DELETE ${keys} RETURNING user_id AS userId, provider`, values },
  ]
}

/** Deletes the key in a slot. It returns the slot if it had one. */
export function deleteKey({ userId, provider }: Slot, cause: Cause): Burial<Slot> {
  return deleteKeys({ sql: 'VALUES (?1, ?2)', values: [userId, provider] }, cause)
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
export function deleteUsers({ sql, values }: Selection, cause: Cause): Burial<{ userId: string }> {
  const going = `SELECT identity FROM users WHERE id IN (${sql})
    UNION ALL SELECT identity FROM api_keys WHERE user_id IN (${sql})`
  return [
    bury({ sql: going, values }, cause),
    { sql: `DELETE FROM users WHERE id IN (${sql}) RETURNING id AS userId`, values },
  ]
}

/** A save in a slot: the tombstone, the user if it `createsUser`, then the statements of the save. */
export function replaceKey(
  { userId, provider }: Slot,
  save: readonly Statement<object>[],
  createsUser: boolean,
): Statement<object>[] {
  const sql = 'SELECT identity FROM api_keys WHERE user_id = ?1 AND provider = ?2'
  return [
    bury({ sql, values: [userId, provider] }, 'request'),
    ...(createsUser ? [insertUser(userId)] : []),
    ...save,
  ]
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
