/** Takes a key to send it to its provider. One that is gone, and that a restored D1 has again, is not taken. */

import { VaultError } from '../errors.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { SumKind } from '../shared/event-kind.ts'
import { selectKey, type UserKeyRow, type UserWithoutKey } from '../store/api-keys.ts'
import { run, runBatch } from '../store/d1.ts'
import type { Actor } from '../store/events.ts'
import type { Heartbeat } from '../store/gone-keys.ts'
import { countUse, giveUseBack } from '../store/limits.ts'
import { isGone, readHeartbeat } from './gone.ts'
import { requireAllowed, usedNow } from './limits.ts'
import type { NamedSlot } from './slot-name.ts'
import { inRow } from './slot-row.ts'
import { EMPTY, isKeyRow, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { countEvent, type WaitUntil } from './sums.ts'
import { requireAnyUser } from './users.ts'

/**
 * The row that was read for a use, if its key may be sent to its provider; null for an empty slot.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
async function usableRow(
  owner: SlotOwner,
  [row]: readonly (UserKeyRow | UserWithoutKey)[],
  heartbeat: Heartbeat | undefined,
): Promise<UserKeyRow | null> {
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || !isKeyRow(row)) return null
  return (await isGone(owner.service, row, heartbeat)) ? null : row
}

/** The row of the slot. @throws as {@link usableRow} */
export async function readUsableRow(owner: SlotOwner, slot: NamedSlot): Promise<UserKeyRow | null> {
  const { db, settings } = owner.service
  return inRow(owner, slot, async (at) => {
    const [read, beat] = await runBatch(db, [selectKey(at), ...readHeartbeat(settings)])
    return usableRow(owner, read.results, beat?.results[0])
  })
}

/** The key in the slot, to be sent to its provider. @throws as {@link usableRow} */
export async function readUsableKey(owner: SlotOwner, slot: NamedSlot): Promise<StoredKey> {
  const row = await readUsableRow(owner, slot)
  return row === null ? EMPTY : openAndLog(owner, row)
}

/** A caller who uses the keys of a user. */
export interface KeyUser extends SlotOwner {
  by: Extract<Actor, { kind: 'caller' }>
  /** Keeps the isolate alive until the use is recorded. */
  waitUntil: WaitUntil
}

/**
 * The key in the slot, even if its provider was removed. It makes one round trip to D1, which also counts the
 * use if uses are limited. A refusal is noted in the trail.
 *
 * @throws VaultError `api_key_paused`, `caller_not_allowed`, `api_key_expired`, `limit_reached`,
 * `user_not_found`, `database_busy`
 */
export async function takeKey(user: KeyUser, slot: NamedSlot): Promise<StoredKey<UserKeyRow>> {
  const { db, settings } = user.service
  const use = usedNow(user.by.name)
  const taken = await inRow(user, slot, async (at) => {
    const [counted, read, beat] = await runBatch(db, [
      countUse(at, use),
      selectKey(at),
      ...readHeartbeat(settings),
    ])
    const row = await usableRow(user, read.results, beat?.results[0])
    return { row, isCounted: counted.results.length > 0 }
  })
  const { row, isCounted } = taken
  if (row === null) return EMPTY
  try {
    requireAllowed(row, use, isCounted)
  } catch (error) {
    const { code } = VaultError.from(error)
    const event = code === 'limit_reached' ? code : 'use_refused'
    noteUse(user, row, { event, code: code === event ? null : code })
    throw error
  }
  const key = await openAndLog(user, row)
  if (key.state === 'unreadable') {
    if (isCounted) await run(db, giveUseBack(row))
    noteUse(user, row, { event: 'unreadable' })
  }
  return key
}

/** Counts what the caller did with the key in a row. */
export function noteUse(
  { service, by, waitUntil }: KeyUser,
  { userId, provider, userIdentity }: Pick<UserKeyRow, 'userId' | 'provider' | 'userIdentity'>,
  {
    event,
    code = null,
    isError = false,
  }: { event: SumKind; code?: ErrorCode | null; isError?: boolean },
): void {
  const errors = isError ? 1 : 0
  countEvent(service, waitUntil, {
    userId,
    userIdentity,
    provider,
    event,
    caller: by.name,
    code,
    errors,
  })
}
