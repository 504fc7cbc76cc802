/** The users that may have keys. */

import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import { readOwner } from '../shared/owner.ts'
import { run, runBatch } from '../store/d1.ts'
import type { Cause } from '../store/gone-keys.ts'
import {
  insertUser,
  removeUsers,
  selectUser,
  selectUsers,
  type ListedUser,
  type User,
} from '../store/users.ts'
import { withUserHooks } from './deletion-hooks.ts'
import { retry } from './retry.ts'
import { isOperator, type SlotOwner } from './stored-key.ts'

const NO_TEAM = 'No admin has saved a key or a setting of the team yet, or the team was removed.'

/**
 * Adds the user. Returns false if the user exists already.
 *
 * @throws VaultError `database_busy`, as all functions here
 */
export async function addUser({ db }: Pick<Service, 'db'>, userId: string): Promise<boolean> {
  const users = { userIds: [userId], isImporting: true }
  const [found] = await withUserHooks(db, users, async (hooks) => {
    const added = hooks.flatMap((hook) => hook.added(userId))
    return runBatch(db, [selectUser(userId), insertUser(userId), ...added])
  })
  return found.results.length === 0
}

/** Deletes the user with all keys and events, and leaves the id nowhere. Returns false if the user does not exist. */
export async function removeUser({ db, keyring }: Service, userId: string): Promise<boolean> {
  return deleteUser(db, userId, { cause: 'request', isImporting: keyring.foreign !== null })
}

/** As {@link removeUser}, without a service. */
export async function deleteUser(
  db: D1Database,
  userId: string,
  { cause, isImporting }: { cause: Cause; isImporting: boolean },
): Promise<boolean> {
  const user = { sql: 'VALUES (?1)', values: [userId], changes: userId }
  const results = await withUserHooks(db, { userIds: [userId], isImporting }, async (hooks) => {
    const noted = hooks.flatMap((hook) => hook.users(user))
    return runBatch(db, [...noted, ...removeUsers(user, cause)])
  })
  return results.at(-1)?.results.length === 1
}

export async function hasUser(owner: SlotOwner): Promise<boolean> {
  return (await findUser(owner)) !== null
}

/** @throws VaultError `user_not_found`, `database_busy` */
export async function readUser(owner: SlotOwner): Promise<User> {
  const user = await findUser(owner)
  if (user === null) throw userNotFound(owner)
  return user
}

/** It only reads, so it is tried again if D1 fails. */
async function findUser({ service, userId }: SlotOwner): Promise<User | null> {
  const { results } = await retry(async (ms) => run(service.db, selectUser(userId), ms))
  return results[0] ?? null
}

/** Users as a page of a list, by id. */
export interface UserPage {
  users: ListedUser[]
  /** The cursor of the next page; null at the end. */
  next: string | null
}

/** The users of a page, by default and at most. */
export const DEFAULT_USERS = 50
export const MAX_USERS = 200

/** The next users after the one with the id `cursor`. It only reads, so it is tried again if D1 fails. */
export async function listUsers(
  { db }: Service,
  { cursor = '', limit }: { cursor?: string | undefined; limit: number },
): Promise<UserPage> {
  // One more than the page has tells whether another page follows.
  const { results } = await retry(async (ms) => run(db, selectUsers(cursor, limit + 1), ms))
  const users = results.slice(0, limit)
  return { users, next: results.length > limit ? (users.at(-1)?.id ?? null) : null }
}

/** Whether a save adds the owner. A user's own save does if the settings say so, and an admin's save always adds the team. */
export function addsUser(owner: SlotOwner): boolean {
  if (owner.member !== undefined) return true
  const { kind } = readOwner(owner.userId)
  return kind === 'user' && owner.service.settings.autoCreateUsers && !isOperator(owner)
}

/** For a user without a row. @throws VaultError `user_not_found`, unless a save adds the user */
export function requireAnyUser(owner: SlotOwner): void {
  if (!addsUser(owner)) throw userNotFound(owner)
}

export function userNotFound(owner: SlotOwner): VaultError {
  if (readOwner(owner.userId).kind === 'team') {
    return new VaultError('user_not_found', { detail: NO_TEAM })
  }
  const detail = isOperator(owner)
    ? 'The user is not in the vault: add the user first.'
    : 'The token is valid, but its user is not in the vault: add the user first.'
  return new VaultError('user_not_found', { detail })
}
