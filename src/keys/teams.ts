/** What the admins of a team have set. */

import { selectTeam, updateTeam, type NewTeam, type Team } from '../store/teams.ts'
import { insertUser } from '../store/users.ts'
import { changeOwned, runOwned } from './owned.ts'
import { retry } from './retry.ts'
import type { SlotOwner } from './stored-key.ts'
import { requireAnyUser, userNotFound } from './users.ts'

/**
 * The team; null for a member if nobody has added it yet. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `token_expired`, `database_busy`
 */
export async function readTeam(owner: SlotOwner): Promise<Team | null> {
  const [{ results }] = await retry(async (ms) => runOwned(owner, [selectTeam(owner.userId)], ms))
  const [team = null] = results
  if (team === null) requireAnyUser(owner)
  return team
}

/** Changes the team, and adds it if it is not there. @throws VaultError `token_expired`, `database_busy` */
export async function changeTeam(owner: SlotOwner, change: NewTeam): Promise<Team> {
  const { userId } = owner
  const statements = [insertUser(userId), updateTeam(userId, change)] as const
  const [, { results }] = await changeOwned(owner, statements)
  const [team] = results
  if (team === undefined) throw userNotFound(owner)
  return team
}
