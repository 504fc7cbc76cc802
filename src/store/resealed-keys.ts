/** Writes keys that were sealed again, in their slot or for another one. Each stays the same key. */

import type { SealedKey, Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT, foldSlot, splitSlot } from '../shared/slot.ts'
import { COLUMNS, type KeyRow, type KeyState, type SealedRow } from './api-keys.ts'
import { noteRows } from './noted-events.ts'
import type { Statement } from './d1.ts'
import { afterLabelled, newPosition } from './slot-order.ts'

/** A key as it is sealed for a slot. */
export interface SealedFor extends Slot, SealedKey {
  /** Null for a short key. */
  fingerprint: string | null
}

/** The key in `row`, if it is as it was read. */
const AS_READ = `user_id = ?1 AND provider = ?2 AND identity = ?3 AND revision = ?4 AND encrypted_api_key = ?5
  AND status = ?6`

/**
 * Moves a key at its owner's request. It returns no row if `row` has changed, and fails if the other slot has a key, or if
 * its provider has too many.
 */
export function moveKey(
  { userId, provider, identity, revision, sealed, status }: KeyRow,
  target: SealedFor & KeyState,
): Statement<KeyRow> {
  const position = newPosition(target.provider, { slot: '?7', provider: '?14' })
  return {
    sql: `UPDATE api_keys SET provider = ?7, encrypted_api_key = ?8, key_id = ?9, status = ?10,
            fingerprint = ?11, exhausted_at = ?12, revision = revision + 1, folded = ?13, position = ${position}
          WHERE ${AS_READ} RETURNING ${COLUMNS}`,
    changes: userId,
    values: [
      userId,
      provider,
      identity,
      revision,
      sealed,
      status,
      target.provider,
      target.sealed,
      target.kid,
      target.status,
      target.fingerprint,
      target.exhaustedAt,
      foldSlot(target.provider),
      splitSlot(target.provider).provider,
    ],
  }
}

/** A key as it was read, and as it was sealed again. */
export interface Resealed {
  row: SealedRow & Pick<KeyRow, 'identity'>
  to: SealedFor
}

/** Writes keys that were sealed again, wherever they are by now. One that was replaced meanwhile is left alone. */
export function swapKeys(kid: string, resealed: readonly Resealed[]): Statement {
  const swaps = resealed.map(({ row, to }) => [
    row.userId,
    row.identity,
    row.sealed,
    to.sealed,
    to.fingerprint,
  ])
  return {
    sql: `UPDATE api_keys SET encrypted_api_key = value ->> 3, key_id = ?2, fingerprint = value ->> 4
          FROM json_each(?1)
          WHERE user_id = value ->> 0 AND identity = value ->> 1
            AND encrypted_api_key = value ->> 2`,
    values: [JSON.stringify(swaps), kid],
    // The text that was sealed before still opens.
    changes: null,
  }
}

/** Moves keys of the plain route, each with its status, after the labelled keys of the provider. One stays if the other slot has a key, or if it has changed. */
export function moveKeys(
  provider: string,
  moved: readonly Resealed[],
): [moves: Statement<Slot>, events: Statement] {
  const rows = moved.map(({ row, to }) => [
    to.userId,
    row.sealed,
    to.sealed,
    to.kid,
    to.fingerprint,
  ])
  const values = [JSON.stringify(rows), provider]
  const slots = `SELECT user_id, provider FROM json_each(?1)
    CROSS JOIN api_keys ON user_id = value ->> 0 AND provider = ?2 AND encrypted_api_key = value ->> 2`
  return [
    {
      sql: `UPDATE OR IGNORE api_keys
            SET provider = ?2, encrypted_api_key = value ->> 2, key_id = value ->> 3, fingerprint = value ->> 4,
              position = ${afterLabelled('api_keys.user_id', '?2')}
            FROM json_each(?1)
            WHERE user_id = value ->> 0 AND provider = '${DEFAULT_SLOT}'
              AND encrypted_api_key = value ->> 1
            RETURNING user_id AS userId, provider`,
      values,
      // The job moves keys of many owners.
      changes: moved.length === 1 ? moved[0]?.to.userId : undefined,
    },
    noteRows({ event: 'assigned', by: 'job' }, { sql: slots, values }),
  ]
}
