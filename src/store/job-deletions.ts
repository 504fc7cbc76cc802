/** The deletions that jobs make: keys that have expired, and what a restored database has brought back. */

import type { Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { KIDS } from './all-keys.ts'
import type { Statement } from './d1.ts'
import type { WrittenEvent } from './events.ts'
import { noteAndReturn } from './noted-events.ts'
import { deleteKeys, type Burial, type DeletionHook } from './gone-keys.ts'
import { removeUsers } from './users.ts'

/** The most keys that {@link noteExpirations} notes. */
export const NOTED_AT_ONCE = 1_000
/** The most keys that a run deletes. */
export const DELETED_AT_ONCE = 100

/** Keys that have expired, and that the trail does not know of, the oldest first. */
const UNNOTED = `SELECT user_id, provider, expires_at FROM api_keys
  WHERE expires_at IS NOT NULL AND expiry_noted = 0 AND expires_at <= ?1
  ORDER BY expires_at LIMIT ${NOTED_AT_ONCE}`

/** Notes in the trail which keys have expired, each of them once. It returns the events. */
export function noteExpirations(now: string): [events: Statement<WrittenEvent>, noted: Statement] {
  const noted = `UPDATE api_keys SET expiry_noted = 1
    WHERE (user_id, provider) IN (SELECT user_id, provider FROM (${UNNOTED}))`
  return [
    noteAndReturn(
      { event: 'expired', by: 'job', at: 'expires_at' },
      { sql: UNNOTED, values: [now] },
    ),
    { sql: noted, values: [now], changes: null },
  ]
}

/**
 * Keys that expired before `?1`, the oldest first. With `DEFAULT_PROVIDER`, `?2`, a key waits if the slot has a second row:
 * only one of the two counts, and the other one must not come back when that is deleted.
 */
const EXPIRED = `SELECT user_id, provider FROM api_keys AS expired
  WHERE expires_at IS NOT NULL AND expiry_noted = 1 AND expires_at < ?1
    AND NOT (?2 IS NOT NULL AND provider IN (?2, '${DEFAULT_SLOT}') AND EXISTS (
      SELECT 1 FROM api_keys WHERE user_id = expired.user_id AND provider <> expired.provider
        AND provider IN (?2, '${DEFAULT_SLOT}')
    ))
  ORDER BY expires_at LIMIT ${DELETED_AT_ONCE}`

/** Which expired keys to delete. */
interface Expired {
  /** ISO 8601 in UTC. */
  before: string
  defaultProvider: string | null
  hooks: readonly DeletionHook[]
}

/** Deletes keys that expired before a time, with a note in the trail. */
export function deleteExpired({
  before,
  defaultProvider,
  hooks,
}: Expired): [events: Statement<WrittenEvent>, ...Statement[], ...keys: Burial<Slot>] {
  // No use takes an expired key.
  const slots = { sql: EXPIRED, values: [before, defaultProvider], changes: null }
  return [
    noteAndReturn({ event: 'deleted', by: 'job' }, slots),
    ...hooks.flatMap((hook) => hook.keys(slots)),
    ...deleteKeys(slots, 'expiry'),
  ]
}

/** The rows whose identity is in the JSON array `?1`. The index of identities begins with the kid. */
const KEYS = `${KIDS}
    SELECT user_id, provider FROM kids CROSS JOIN json_each(?1)
    CROSS JOIN api_keys ON key_id = kid AND api_keys.identity = value`
const USERS = 'SELECT users.id FROM json_each(?1) CROSS JOIN users ON identity = value'

/** The users with these identities. */
export function selectRestored(identities: readonly string[]): Statement<{ id: string }> {
  return { sql: USERS, values: [JSON.stringify(identities)] }
}

/** What {@link deleteRestored} returns. */
export type Restored = [
  events: Statement<WrittenEvent>,
  ...hooks: Statement[],
  ...keys: Burial<Slot>,
  ...users: ReturnType<typeof removeUsers>,
]

/** Deletes the keys and the users with these identities again, with a note in the trail of each user who stays. */
export function deleteRestored(
  identities: readonly string[],
  hooks: readonly DeletionHook[],
): Restored {
  const values = [JSON.stringify(identities)]
  const keys = { sql: KEYS, values }
  const users = { sql: USERS, values }
  const ofOthers = { sql: `${KEYS} WHERE user_id NOT IN (${USERS})`, values }
  return [
    noteAndReturn({ event: 'deleted', by: 'job', mark: 'provider' }, ofOthers),
    ...hooks.flatMap((hook) => [...hook.keys(keys), ...hook.users(users)]),
    ...deleteKeys(keys, 'restore'),
    ...removeUsers(users, 'restore'),
  ]
}
