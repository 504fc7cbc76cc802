/** Deletes again what a restored database has brought back. */

import type { Slot } from '../crypto/seal.ts'
import { deleteEventsOf, noteRows, RETURNING_EVENT, type WrittenEvent } from './events.ts'
import { deleteKeys, deleteUsers, type Burial, type DeletionHook } from './gone-keys.ts'
import { KIDS } from './all-keys.ts'
import { NOW, type Statement } from './d1.ts'

/** The rows whose identity is in the JSON array `?1`. The index of identities begins with the kid. */
const KEYS = `(${KIDS}
    SELECT api_keys.* FROM kids CROSS JOIN json_each(?1)
    CROSS JOIN api_keys ON key_id = kid AND api_keys.identity = value
  )`
const USERS = 'SELECT users.id FROM json_each(?1) CROSS JOIN users ON identity = value'

/** What {@link deleteRestored} returns. */
export type Restored = [
  events: Statement<WrittenEvent>,
  ...hooks: Statement[],
  ...keys: Burial<Slot>,
  events: Statement,
  ...users: Burial<{ userId: string }>,
]

/** Deletes the keys and the users with these identities again, with a note in the trail. */
export function deleteRestored(
  identities: readonly string[],
  hooks: readonly DeletionHook[],
): Restored {
  const values = [JSON.stringify(identities)]
  const keys = { sql: `SELECT user_id, provider FROM ${KEYS}`, values }
  const users = { sql: USERS, values }
  const events = `SELECT ${NOW} AS at, user_id, provider, provider AS mark FROM ${KEYS}`
  return [
    { sql: `${noteRows('deleted', 'job', events)} ${RETURNING_EVENT}`, values },
    ...hooks.flatMap((hook) => [...hook.keys(keys), ...hook.users(users)]),
    ...deleteKeys(keys, 'restore'),
    deleteEventsOf(users),
    ...deleteUsers(users, 'restore'),
  ]
}
