/** Changes what the owner of a key allows. */

import type { Slot } from '../crypto/seal.ts'
import { VaultError } from '../errors.ts'
import { selectKey } from '../store/api-keys.ts'
import { updateLimits, type NewLimits } from '../store/limits.ts'
import { checkSlot, type Condition } from '../store/slot-check.ts'
import { makeMark, runMarked } from './retry.ts'
import { slotName } from './slot-name.ts'
import { inRow } from './slot-row.ts'
import { actorOf, isKeyRow, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { requireAnyUser } from './users.ts'

/**
 * Changes the limits of the key in the slot, with one round trip to D1, and returns the key. If D1 fails, it tries
 * again unless the trail has the event of this change, or of another one since.
 *
 * @throws VaultError `user_not_found`, `no_api_key`, `changed_meanwhile`, `database_busy`
 */
export async function setLimits(
  owner: SlotOwner,
  given: string,
  { condition, ...limits }: NewLimits & { condition: Condition | null },
): Promise<StoredKey> {
  const { db, settings } = owner.service
  const results = await inRow(owner, slotName(settings, given), async (slot, other) => {
    const mark = makeMark()
    const read = [selectKey(slot)]
    const changeOf = ({ provider }: Slot) =>
      updateLimits({ ...actorOf(owner), provider, mark }, limits)
    const statements = [
      ...(other?.asRead ?? []),
      ...(condition === null ? [] : [checkSlot(slot, condition)]),
      ...changeOf(slot),
      // Its event would be a second one of this change.
      ...(other === null ? [] : changeOf(other).slice(1)),
      ...read,
    ]
    return runMarked(db, { slot, mark, statements, read })
  })
  const [row] = results.at(-1)?.results ?? []
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || !isKeyRow(row)) throw new VaultError('no_api_key')
  return openAndLog(owner, row)
}
