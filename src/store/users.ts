/** The table `users`: who may have keys. `gone-keys.ts` adds and deletes them. */

import type { Statement } from './statement.ts'

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
