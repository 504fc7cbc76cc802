/** Notes in the trail who sees a slot or a key besides its owner. A look that cannot be noted is refused. */

import { run, type BatchResults, type Statement } from '../store/d1.ts'
import type { LookKind } from '../shared/event-kind.ts'
import { noteEvent } from '../store/noted-events.ts'
import { runOwned } from './owned.ts'
import { retry } from './retry.ts'
import { actorOf, isOperator, type SlotOwner } from './stored-key.ts'

/** In the trail: all slots. */
export const ALL_SLOTS = '*'

/**
 * Reads what the owner, or an operator, sees of the slot `provider`. The look of an operator is noted in the same
 * transaction. Otherwise it only reads, and is tried again if D1 fails.
 *
 * @throws VaultError `rate_limited` after 10,000 looks on a day, `database_busy`
 */
export async function look<const Statements extends readonly Statement<unknown>[]>(
  owner: SlotOwner,
  provider: string,
  statements: Statements,
): Promise<BatchResults<Statements>>
export async function look(
  owner: SlotOwner,
  provider: string,
  statements: readonly Statement<unknown>[],
): Promise<D1Result[]> {
  if (!isOperator(owner)) return retry(async (ms) => runOwned(owner, statements, ms))
  const note = noteEvent({ ...actorOf(owner), provider, event: 'viewed' })
  const results: D1Result[] = await runOwned(owner, [...statements, note])
  return results.slice(0, statements.length)
}

/**
 * Notes a look at the slot `provider`. It comes before the answer. Returns false if the user does not exist.
 *
 * @throws VaultError `rate_limited` after 10,000 looks on a day, `database_busy`
 */
export async function noteLook(
  owner: SlotOwner,
  provider: string,
  event: LookKind,
): Promise<boolean> {
  const { results } = await run(owner.service.db, noteEvent({ ...actorOf(owner), provider, event }))
  return results.length === 1
}
