/** The table `users`: who may have keys. */

import type { Statement } from './d1.ts'

/** Adds the user. It changes no row if the user exists already. */
export function insertUser(userId: string): Statement {
  return { sql: 'INSERT INTO users (id) VALUES (?1) ON CONFLICT DO NOTHING', values: [userId] }
}

/** Returns one row if the user exists. */
export function selectUser(userId: string): Statement<object> {
  return { sql: 'SELECT 1 FROM users WHERE id = ?1', values: [userId] }
}

/** Deletes the user with all keys (`ON DELETE CASCADE`). Returns one row if the user existed. */
export function deleteUser(userId: string): Statement<object> {
  return { sql: 'DELETE FROM users WHERE id = ?1 RETURNING 1', values: [userId] }
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
    sql: `SELECT id, users.created_at AS createdAt, count(user_id) AS keys
          FROM users LEFT JOIN api_keys ON user_id = id
          GROUP BY id ORDER BY id LIMIT ?1`,
    values: [limit],
  }
}
