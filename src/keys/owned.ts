/**
 * Runs the statements of a request on an owner's rows. For a member of a team, nothing is read or changed if the team does
 * not take the member's token any more.
 */

import { runBatch, type BatchResults, type Statement } from '../store/d1.ts'
import { insertMember } from '../store/teams.ts'
import type { SlotOwner } from './stored-key.ts'

type Owned = Pick<SlotOwner, 'service' | 'guard' | 'member'>

/** Runs statements in one transaction. @throws VaultError `token_expired`, and as `runBatch` */
export async function runOwned<const Statements extends readonly Statement<unknown>[]>(
  owner: Owned,
  statements: Statements,
  deadlineMs?: number,
): Promise<BatchResults<Statements>>
export async function runOwned(
  { service, guard }: Owned,
  statements: readonly Statement<unknown>[],
  deadlineMs?: number,
): Promise<D1Result[]> {
  if (guard === undefined) return runBatch(service.db, statements, deadlineMs)
  const results: D1Result[] = await runBatch(service.db, [guard, ...statements], deadlineMs)
  return results.slice(1)
}

/** As {@link runOwned}, for changes that the trail notes. The member is added to the users, so that it says who. */
export async function changeOwned<const Statements extends readonly Statement<unknown>[]>(
  owner: Owned,
  statements: Statements,
  deadlineMs?: number,
): Promise<BatchResults<Statements>>
export async function changeOwned(
  owner: Owned,
  statements: readonly Statement<unknown>[],
  deadlineMs?: number,
): Promise<D1Result[]> {
  // The member of a use may have been removed since.
  if (owner.guard === undefined || owner.member === undefined) {
    return runOwned(owner, statements, deadlineMs)
  }
  const all = [insertMember(owner.member), ...statements]
  const results: D1Result[] = await runOwned(owner, all, deadlineMs)
  return results.slice(1)
}
