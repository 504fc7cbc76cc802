/**
 * Runs the statements of a request on an owner's rows. For a member of a team, nothing is read or changed if the team does
 * not take the member's token any more.
 */

import type { Service } from '../service.ts'
import { runBatch, type BatchResults, type Statement } from '../store/d1.ts'
import { admitMember, requireTokenSince } from '../store/teams.ts'
import type { SlotOwner } from './stored-key.ts'

type Owned = Pick<SlotOwner, 'service' | 'userId' | 'member' | 'issuedAt'>

/** Runs statements in one transaction. @throws VaultError `token_expired`, and as `runBatch` */
export async function runOwned<const Statements extends readonly Statement<unknown>[]>(
  owner: Owned,
  statements: Statements,
  deadlineMs?: number,
): Promise<BatchResults<Statements>>
export async function runOwned(
  { service, userId, issuedAt }: Owned,
  statements: readonly Statement<unknown>[],
  deadlineMs?: number,
): Promise<D1Result[]> {
  const guard = issuedAt === undefined ? [] : [requireTokenSince({ teamId: userId, issuedAt })]
  return runAfter(service, guard, statements, deadlineMs)
}

/** As {@link runOwned}, for changes that the trail notes. The member is added to the users, so that the trail says who it was. */
export async function changeOwned<const Statements extends readonly Statement<unknown>[]>(
  owner: Owned,
  statements: Statements,
  deadlineMs?: number,
): Promise<BatchResults<Statements>>
export async function changeOwned(
  { service, userId, member, issuedAt }: Owned,
  statements: readonly Statement<unknown>[],
  deadlineMs?: number,
): Promise<D1Result[]> {
  // The member of a use has no token here, and may have been removed since.
  const isToken = issuedAt !== undefined && member !== undefined
  const guard = isToken ? [admitMember({ teamId: userId, issuedAt }, member)] : []
  return runAfter(service, guard, statements, deadlineMs)
}

/** Runs the statements after the guard. @returns only their results */
async function runAfter(
  { db }: Service,
  guard: readonly Statement<unknown>[],
  statements: readonly Statement<unknown>[],
  deadlineMs?: number,
): Promise<D1Result[]> {
  const results: D1Result[] = await runBatch(db, [...guard, ...statements], deadlineMs)
  return results.slice(guard.length)
}
