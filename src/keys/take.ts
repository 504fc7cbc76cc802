/** Takes a key for a caller, if the owner of the key allows that. */

import { VaultError } from '../errors.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { LookKind, SumKind } from '../shared/event-kind.ts'
import { selectKey, type UserKeyRow } from '../store/api-keys.ts'
import { run, runBatch } from '../store/d1.ts'
import { noteEvent, type Actor } from '../store/events.ts'
import { countUse, giveUseBack } from '../store/limits.ts'
import { readHeartbeat } from './gone.ts'
import { requireAllowed, usedNow } from './limits.ts'
import { slotName } from './slot-name.ts'
import { inRow } from './slot-row.ts'
import { actorOf, EMPTY, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { countEvent, type WaitUntil } from './sums.ts'
import { usableRow } from './usable-key.ts'

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
export async function takeKey(user: KeyUser, given: string): Promise<StoredKey<UserKeyRow>> {
  const { db, settings } = user.service
  const use = usedNow(user.by.name)
  const taken = await inRow(user, slotName(settings, given), async (slot) => {
    const [counted, read, beat] = await runBatch(db, [
      countUse(slot, use),
      selectKey(slot),
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

/**
 * Notes that the caller looks at the slot `provider`. It comes before the answer: a look that is not noted is refused.
 * Returns false if the user does not exist.
 *
 * @throws VaultError `rate_limited` after 10,000 looks on a day, `database_busy`
 */
export async function noteLook(user: KeyUser, provider: string, event: LookKind): Promise<boolean> {
  const { results } = await run(user.service.db, noteEvent({ ...actorOf(user), provider, event }))
  return results.length === 1
}
