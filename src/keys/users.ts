/** The users that may have keys. */

import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import { run, runBatch } from '../store/d1.ts'
import { deleteEventsOf } from '../store/events.ts'
import { deleteUsers, type Cause } from '../store/gone-keys.ts'
import { insertUser, selectUser } from '../store/users.ts'
import { deletionHooks } from './deletion-hooks.ts'
import { retry } from './retry.ts'
import type { SlotOwner } from './stored-key.ts'

/**
 * Adds the user. Returns false if the user exists already.
 *
 * @throws VaultError `database_busy`, as all functions here
 */
export async function addUser({ db }: Pick<Service, 'db'>, userId: string): Promise<boolean> {
  const added = deletionHooks(true).flatMap((hook) => hook.added(userId))
  const [found] = await runBatch(db, [selectUser(userId), insertUser(userId), ...added])
  return found.results.length === 0
}

/** Deletes the user with all keys and events. Returns false if the user does not exist. */
export async function removeUser({ db, keyring }: Service, userId: string): Promise<boolean> {
  return deleteUser(db, userId, { cause: 'request', isImporting: keyring.foreign !== null })
}

/** As {@link removeUser}, without a service. */
export async function deleteUser(
  db: D1Database,
  userId: string,
  { cause, isImporting }: { cause: Cause; isImporting: boolean },
): Promise<boolean> {
  const user = { sql: 'VALUES (?1)', values: [userId] }
  const results = await runBatch(db, [
    ...deletionHooks(isImporting).flatMap((hook) => hook.users(user)),
    deleteEventsOf(user),
    ...deleteUsers(user, cause),
  ])
  return results.at(-1)?.results.length === 1
}

/** It only reads, so it is tried again if D1 fails. */
export async function hasUser({ db }: Service, userId: string): Promise<boolean> {
  const { results } = await retry(async (ms) => run(db, selectUser(userId), ms))
  return results.length === 1
}

/** For a user without a row. @throws VaultError `user_not_found`, unless `AUTO_CREATE_USERS` is on */
export function requireAnyUser({ service }: SlotOwner): void {
  if (!service.settings.autoCreateUsers) throw userNotFound()
}

export function userNotFound(): VaultError {
  const detail = 'The token is valid, but its user has not been added yet, or was removed.'
  return new VaultError('user_not_found', { detail })
}
