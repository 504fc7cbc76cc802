/** Changes what the owner of a key allows. */

import { VaultError } from '../errors.ts'
import type { EventKind } from '../shared/event-kind.ts'
import { selectKey } from '../store/api-keys.ts'
import { noteKeyEvent } from '../store/events.ts'
import { updateLimits, type NewLimits } from '../store/limits.ts'
import { requireVersion, type Condition } from '../store/versions.ts'
import { makeMark, runMarked } from './retry.ts'
import { rowNames, slotName } from './slot-name.ts'
import { actorOf, isKeyRow, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { requireAnyUser } from './users.ts'

/**
 * Changes the limits of the key in the slot, with one round trip to D1, and returns the key. If D1 fails, it tries
 * again unless the trail has the event of this change.
 *
 * @throws VaultError `user_not_found`, `no_api_key`, `changed_meanwhile`, `database_busy`
 */
export async function setLimits(
  owner: SlotOwner,
  given: string,
  { condition, ...limits }: NewLimits & { condition: Condition | null },
): Promise<StoredKey> {
  const { userId } = owner
  const { db, settings } = owner.service
  const name = slotName(settings, given)
  const names = rowNames(settings, name)
  const mark = makeMark()
  const about = { ...actorOf(owner), provider: name }
  const statements = [
    ...(condition === null ? [] : [requireVersion(userId, names, condition)]),
    // Two events of one millisecond need ids of their own.
    ...eventsOf(limits).map((event, index) =>
      noteKeyEvent({ ...about, event, mark: index === 0 ? mark : undefined }, names),
    ),
    updateLimits(userId, names, limits),
    selectKey(userId, names),
  ]
  const read = [selectKey(userId, names)]
  const results = await runMarked(db, { userId, mark, statements, read })
  const [row] = results.at(-1)?.results ?? []
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || !isKeyRow(row)) throw new VaultError('no_api_key')
  return openAndLog(owner, row)
}

function eventsOf({ isPaused, callers, maxUses, expiresAt }: NewLimits): EventKind[] {
  const others = [callers, maxUses, expiresAt].some((limit) => limit !== undefined)
  const events: EventKind[] = others ? ['limits_changed'] : []
  if (isPaused !== undefined) events.push(isPaused ? 'paused' : 'resumed')
  return events
}
