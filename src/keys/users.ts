/** The users that may have keys. Every function here is one round trip to D1. */

import { isMovingIn } from '../crypto/keyring.ts'
import type { Service } from '../service.ts'
import { run, runBatch } from '../store/d1.ts'
import { deleteUserEvents } from '../store/events.ts'
import { noteUserGone } from '../store/gone-keys.ts'
import { forgetRemoval, noteUserRemoved } from '../store/imported-keys.ts'
import { noteUserDeleted } from '../store/kids.ts'
import { retry } from './retry.ts'
import { deleteUser, insertUser, selectUser } from '../store/users.ts'

/**
 * Adds the user. Returns false if the user exists already.
 *
 * @throws VaultError `database_busy`, as all functions here
 */
export async function addUser({ db, keyring }: Service, userId: string): Promise<boolean> {
  const statements = [insertUser(userId), ...(isMovingIn(keyring) ? [forgetRemoval(userId)] : [])]
  const [added] = await runBatch(db, statements)
  return added?.meta.changes === 1
}

/** Deletes the user with all keys and events. Returns false if the user does not exist. */
export async function removeUser({ db, keyring }: Service, userId: string): Promise<boolean> {
  const results = await runBatch<object>(db, [
    noteUserDeleted(userId),
    noteUserGone(userId),
    ...(isMovingIn(keyring) ? [noteUserRemoved(userId)] : []),
    deleteUserEvents(userId),
    deleteUser(userId),
  ])
  return results.at(-1)?.results.length === 1
}

/** It only reads, so it is tried again if D1 fails. */
export async function hasUser({ db }: Service, userId: string): Promise<boolean> {
  const { results } = await retry(async (ms) => run(db, selectUser(userId), ms))
  return results.length === 1
}
