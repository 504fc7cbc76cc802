/** The table `users`: who may have keys. */

import { IS_LATE } from './gone-keys.ts'
import type { Statement } from './d1.ts'

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

/** Returns one row if the user exists. */
export function selectUser(userId: string): Statement<object> {
  return { sql: 'SELECT 1 FROM users WHERE id = ?1', values: [userId] }
}

/** A user as an operator sees it. */
export interface UserRow {
  id: string
  createdAt: string
  /** How many keys the user has. */
  keys: number
}

/** The first `limit` users, by id. */
export function selectUsers(limit: number): Statement<UserRow> {
  return {
    sql: `SELECT id, created_at AS createdAt, count(user_id) AS keys
          FROM users LEFT JOIN api_keys ON user_id = id
          GROUP BY id ORDER BY id LIMIT ?1`,
    values: [limit],
  }
}
