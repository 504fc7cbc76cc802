/**
 * The imported keys that are still here. A key keeps its identity when the job seals it again or moves it, and gets another
 * one when somebody saves over it. So the identity that the import noted tells them from all others.
 */

import type { Slot } from '../crypto/seal.ts'
import type { Statement } from '../store/d1.ts'
import { deleteKeys, type Burial } from '../store/gone-keys.ts'
import { noteRows } from '../store/noted-events.ts'

/** An imported key that is still here. `provider` is the slot that the import named. */
export interface RemainingKey extends Slot {
  identity: string
  /** When the Flask backend saved it. */
  savedAt: string
}

/** The position before the first row. */
export const START: Slot = { userId: '', provider: '' }

/** The imported keys after the slot of the last one, or {@link START}, that are still here, at most `limit`. */
export function selectRemaining(
  { userId, provider }: Slot,
  limit: number,
): Statement<RemainingKey> {
  return {
    sql: `SELECT mark.user_id AS userId, mark.provider, mark.key_identity AS identity, mark.saved_at AS savedAt
          FROM imported_keys AS mark CROSS JOIN api_keys AS stored
            ON stored.user_id = mark.user_id AND stored.identity = mark.key_identity
          WHERE (mark.user_id, mark.provider) > (?1, ?2)
          ORDER BY mark.user_id, mark.provider LIMIT ?3`,
    values: [userId, provider, limit],
  }
}

/**
 * Removes imported keys, with an event and a tombstone for each. A key that was replaced meanwhile stays. It notes nothing
 * else for later imports: they skip the key by its time, and bring a newer one of the Flask backend.
 */
export function removeRemaining(
  keys: readonly Pick<RemainingKey, 'userId' | 'identity'>[],
): [events: Statement, ...Burial<Slot>] {
  const slots = {
    sql: `SELECT user_id, provider FROM json_each(?1)
          CROSS JOIN api_keys ON user_id = value ->> 0 AND identity = value ->> 1`,
    values: [JSON.stringify(keys.map(({ userId, identity }) => [userId, identity]))],
  }
  return [noteRows({ event: 'deleted', by: 'import' }, slots), ...deleteKeys(slots, 'operator')]
}
