/** Reads the key in a slot to send it to its provider. One that is gone, and that a restored D1 has again, is not read. */

import { selectKey, type UserKeyRow, type UserWithoutKey } from '../store/api-keys.ts'
import { runBatch } from '../store/d1.ts'
import type { Heartbeat } from '../store/gone-keys.ts'
import { isGone, readHeartbeat } from './gone.ts'
import { inRow } from './slot-row.ts'
import { EMPTY, isKeyRow, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { requireAnyUser } from './users.ts'

/**
 * The row that was read for a use, if its key may be sent to its provider; null for an empty slot.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function usableRow(
  owner: SlotOwner,
  [row]: readonly (UserKeyRow | UserWithoutKey)[],
  heartbeat: Heartbeat | undefined,
): Promise<UserKeyRow | null> {
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || !isKeyRow(row)) return null
  return (await isGone(owner.service, row, heartbeat)) ? null : row
}

/** The row of the slot `name`. @throws as {@link usableRow} */
export async function readUsableRow(owner: SlotOwner, name: string): Promise<UserKeyRow | null> {
  const { db, settings } = owner.service
  return inRow(owner, name, async (slot) => {
    const [read, beat] = await runBatch(db, [selectKey(slot), ...readHeartbeat(settings)])
    return usableRow(owner, read.results, beat?.results[0])
  })
}

/** The key in the slot `name`, to be sent to its provider. @throws as {@link usableRow} */
export async function readUsableKey(owner: SlotOwner, name: string): Promise<StoredKey> {
  const row = await readUsableRow(owner, name)
  return row === null ? EMPTY : openAndLog(owner, row)
}
