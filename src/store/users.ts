/** The users that may have keys. Every function here is one round trip to D1. */

import { throwApiError } from './d1.ts'
import { noteReplaced } from './kids.ts'
import { noteDeletion, type Vault } from './api-keys.ts'

/**
 * Adds the user; false where it was there.
 *
 * @throws ApiError `database_busy`, as all functions here
 */
export async function createUser({ db }: Vault, userId: string): Promise<boolean> {
  const statement = db.prepare('INSERT INTO users (id) VALUES (?1) ON CONFLICT DO NOTHING')
  const { meta } = await statement.bind(userId).run().catch(throwApiError)
  return meta.changes > 0
}

/** Deletes the user, with all keys (`ON DELETE CASCADE`); false where there was none. */
export async function deleteUser(vault: Vault, userId: string): Promise<boolean> {
  const statement = vault.db.prepare('DELETE FROM users WHERE id = ?1 RETURNING id').bind(userId)
  const notes = [noteReplaced(vault.db, { userId }), ...noteDeletion(vault, userId)]
  const results = await vault.db.batch([...notes, statement]).catch(throwApiError)
  return results.at(-1)?.results.length === 1
}

export async function hasUser({ db }: Vault, userId: string): Promise<boolean> {
  const statement = db.prepare('SELECT 1 FROM users WHERE id = ?1').bind(userId)
  return (await statement.first().catch(throwApiError)) !== null
}
