/** The users that may have keys. Every function here is one round trip to D1. */

import { throwApiError, type Vault } from './vault.ts'

/**
 * Adds the user; false where it was there.
 *
 * @throws ApiError `database_busy`, as all functions here
 */
export async function createUser({ db }: Vault, userId: string): Promise<boolean> {
  return changes(db, 'INSERT INTO users (id) VALUES (?1) ON CONFLICT DO NOTHING', userId)
}

/** Deletes the user, with all keys (`ON DELETE CASCADE`); false where there was none. */
export async function deleteUser({ db }: Vault, userId: string): Promise<boolean> {
  return changes(db, 'DELETE FROM users WHERE id = ?1 RETURNING id', userId)
}

export async function hasUser({ db }: Vault, userId: string): Promise<boolean> {
  const statement = db.prepare('SELECT 1 FROM users WHERE id = ?1').bind(userId)
  return (await statement.first().catch(throwApiError)) !== null
}

async function changes(db: D1Database, sql: string, userId: string): Promise<boolean> {
  const { meta } = await db.prepare(sql).bind(userId).run().catch(throwApiError)
  return meta.changes > 0
}
