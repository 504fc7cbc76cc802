/** The table `users`: who may have keys. */

import { deleteUsers, IS_LATE, type Burial, type Cause, type Selection } from './gone-keys.ts'
import type { Statement } from './d1.ts'
import { deleteEventsOf } from './events.ts'
import { releasePass } from './rewrap.ts'

/**
 * Adds the user. One that exists stays as it is, but gets another identity while the heartbeat is late: the database may
 * have been restored, and the job then deletes a user who was removed. The previous identity gets no tombstone, because
 * a user who was not removed has it in each backup.
 */
export function insertUser(userId: string): Statement {
  return {
    sql: `INSERT INTO users (id) VALUES (?1)
          ON CONFLICT (id) DO UPDATE SET identity = excluded.identity WHERE ${IS_LATE}`,
    values: [userId],
  }
}

/** Deletes the users with these ids, with all that names them. It returns each user. */
export function removeUsers(
  ids: Selection,
  cause: Cause,
): [events: Statement, pass: Statement, ...users: Burial<{ userId: string }>] {
  return [deleteEventsOf(ids), releasePass(ids), ...deleteUsers(ids, cause)]
}

/** A user who may have keys. */
export interface User {
  id: string
  createdAt: string
}

/** Returns one row if the user exists. */
export function selectUser(userId: string): Statement<User> {
  return { sql: 'SELECT id, created_at AS createdAt FROM users WHERE id = ?1', values: [userId] }
}

/** A user as an operator sees it in a list. */
export interface ListedUser extends User {
  /** How many keys the user has. */
  keys: number
}

/** The first `limit` users after the id `after`, by id. */
export function selectUsers(after: string, limit: number): Statement<ListedUser> {
  return {
    sql: `SELECT id, created_at AS createdAt,
            (SELECT count(*) FROM api_keys WHERE user_id = users.id) AS keys
          FROM users WHERE id > ?1 ORDER BY id LIMIT ?2`,
    values: [after, limit],
  }
}
