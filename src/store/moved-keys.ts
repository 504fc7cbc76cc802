/** Moves keys from the default slot to a provider's slot, sealed again for that slot. */

import type { SealedKey } from '../crypto/seal.ts'
import { DEFAULT_SLOT, type KeyStatus } from '../shared/slot.ts'
import { COLUMNS, type KeyRow, type SealedRow } from './api-keys.ts'
import type { Statement } from './d1.ts'
import { noteRows, RANDOM } from './events.ts'
import { NOW } from './versions.ts'

/**
 * Moves the key in `row` to the slot `provider` of its user. It returns no row if that slot has a key, or
 * if `row` has changed.
 */
export function moveKey(
  row: SealedRow,
  provider: string,
  { sealed, kid, status, fingerprint }: SealedKey & { status: KeyStatus; fingerprint: string },
): Statement<KeyRow> {
  return {
    sql: `UPDATE OR IGNORE api_keys
          SET provider = ?3, encrypted_api_key = ?4, key_id = ?5, status = ?6, fingerprint = ?7
          WHERE user_id = ?1 AND provider = '${DEFAULT_SLOT}' AND encrypted_api_key = ?2
          RETURNING ${COLUMNS}`,
    values: [row.userId, row.sealed, provider, sealed, kid, status, fingerprint],
  }
}

/** A key of a default slot: as it is stored, and as it is sealed for the provider's slot. */
export interface MovedKey {
  userId: string
  from: string
  sealed: string
}

/** Like {@link moveKey}, for many keys. Each keeps its status. */
export function moveKeys(provider: string, kid: string, moved: readonly MovedKey[]): Statement {
  const moves = moved.map(({ userId, from, sealed }) => [userId, from, sealed])
  return {
    sql: `UPDATE OR IGNORE api_keys
          SET provider = ?2, encrypted_api_key = value ->> 2, key_id = ?3 FROM json_each(?1)
          WHERE user_id = value ->> 0 AND provider = '${DEFAULT_SLOT}'
            AND encrypted_api_key = value ->> 1`,
    values: [JSON.stringify(moves), provider, kid],
  }
}

/** Notes in the trail which of these keys have moved. It must come after {@link moveKeys}. */
export function noteMovedKeys(provider: string, moved: readonly MovedKey[]): Statement {
  const moves = moved.map(({ userId, sealed }) => [userId, sealed])
  const source = `SELECT ${NOW} AS at, user_id, provider, ${RANDOM} AS mark FROM json_each(?1)
    CROSS JOIN api_keys ON user_id = value ->> 0 AND provider = ?2 AND encrypted_api_key = value ->> 1`
  return {
    sql: noteRows('assigned', 'job', source),
    values: [JSON.stringify(moves), provider],
  }
}
