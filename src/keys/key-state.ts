/** How the answers of a provider change the state of a key. */

import type { Trial } from '../providers/request.ts'
import { OUT_OF_CREDIT, type KeyStatus, type Verdict } from '../shared/slot.ts'
import type { KeyState } from '../store/api-keys.ts'
import type { Statement } from '../store/d1.ts'
import { noted, noteEvent, type NewEvent } from '../store/noted-events.ts'
import { changeOwned } from './owned.ts'
import { publishEvents } from './publish.ts'
import { actorOf, type SlotOwner } from './stored-key.ts'

/** The state of a key before its provider has said anything about it. */
export const NEW: KeyState = { status: 'unverified', exhaustedAt: null }

const STATUS_BY_VERDICT: Record<Verdict, KeyStatus> = {
  accepted: 'active',
  refused: 'rejected',
  unknown: 'unverified',
}

/** The state after a check, at the time `at`. The condition stays if the check does not show credit. */
export function stateAfterCheck(
  { exhaustedAt }: KeyState,
  { verdict, hasCredit }: Trial,
  at: string,
): KeyState {
  const status = STATUS_BY_VERDICT[verdict]
  if (hasCredit === null) return { status, exhaustedAt }
  return { status, exhaustedAt: hasCredit ? null : (exhaustedAt ?? at) }
}

/** The event of a changed condition, with the fields of `about`. Empty if the condition is the same. */
export function conditionEvents<About extends object>(
  before: KeyState,
  after: KeyState,
  about: About,
) {
  if (before.exhaustedAt === after.exhaustedAt) return []
  return [{ ...about, event: after.exhaustedAt === null ? 'in_credit' : OUT_OF_CREDIT }] as const
}

/** An event of a key, without who caused it and the slot. */
export type KeyEvent = Pick<NewEvent, 'event' | 'verdict' | 'reason' | 'providerStatus'>

/** Notes events of a key that does not change. @throws VaultError `database_busy` */
export async function note(owner: SlotOwner, provider: string, event: KeyEvent): Promise<void> {
  const noteIt = noteEvent({ ...actorOf(owner), provider, ...event })
  await publishEvents(owner.service, await changeOwned(owner, [noteIt]))
}

/**
 * Runs the statement that records a use or a check of a key, and notes the events if it changes the row.
 *
 * @returns whether it did
 * @throws VaultError `database_busy`
 */
export async function record(
  owner: SlotOwner,
  update: Statement,
  { provider, events }: { provider: string; events: readonly KeyEvent[] },
): Promise<boolean> {
  const by = { ...actorOf(owner), provider }
  const statements = noted(update, ...events.map((event) => ({ ...by, ...event })))
  const results = await changeOwned(owner, statements)
  await publishEvents(owner.service, results)
  return results[0].meta.changes === 1
}
