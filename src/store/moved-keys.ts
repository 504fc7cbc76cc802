/** Moves keys from one slot to another, sealed again for that slot. A moved key stays the same key. */

import type { SealedKey, Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT, type KeyStatus } from '../shared/slot.ts'
import { COLUMNS, type KeyRow } from './api-keys.ts'
import { noteRows, RANDOM } from './events.ts'
import { NOW, type Statement } from './d1.ts'

/** A key as it is sealed for a slot. */
export interface SealedFor extends Slot, SealedKey {
  /** Null for a short key. */
  fingerprint: string | null
}

/** The key in `row`, if it is as it was read. */
const AS_READ = `user_id = ?1 AND provider = ?2 AND identity = ?3 AND revision = ?4 AND encrypted_api_key = ?5
  AND status = ?6`

/** Moves a key at its owner's request. It returns no row if the other slot has a key, or if `row` has changed. */
export function moveKey(
  { userId, provider, identity, revision, sealed, status }: KeyRow,
  target: SealedFor & { status: KeyStatus },
): Statement<KeyRow> {
  return {
    sql: `UPDATE OR IGNORE api_keys SET provider = ?7, encrypted_api_key = ?8, key_id = ?9, status = ?10,
            fingerprint = ?11, revision = revision + 1
          WHERE ${AS_READ} RETURNING ${COLUMNS}`,
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
    ],
  }
}

/** A key of the plain route: as it is stored, and as it is sealed for the other slot. */
export interface MovedKey {
  from: string
  to: SealedFor
}

/** Moves keys of the plain route, each with its status. One stays if the other slot has a key, or if it has changed. */
export function moveKeys(
  provider: string,
  moved: readonly MovedKey[],
): [moves: Statement<Slot>, events: Statement] {
  const rows = moved.map(({ from, to }) => [to.userId, from, to.sealed, to.kid, to.fingerprint])
  const values = [JSON.stringify(rows), provider]
  const source = `SELECT ${NOW} AS at, user_id, provider, ${RANDOM} AS mark FROM json_each(?1)
    CROSS JOIN api_keys ON user_id = value ->> 0 AND provider = ?2 AND encrypted_api_key = value ->> 2`
  return [
    {
      sql: `UPDATE OR IGNORE api_keys
            SET provider = ?2, encrypted_api_key = value ->> 2, key_id = value ->> 3, fingerprint = value ->> 4
            FROM json_each(?1)
            WHERE user_id = value ->> 0 AND provider = '${DEFAULT_SLOT}'
              AND encrypted_api_key = value ->> 1
            RETURNING user_id AS userId, provider`,
      values,
    },
    { sql: noteRows('assigned', 'job', source), values },
  ]
}

/** The limits of a key that takes the place of another one. */
export type KeptLimits = Pick<
  KeyRow,
  'pausedAt' | 'callers' | 'expiresAt' | 'maxUses' | 'maxUsesPer' | 'uses' | 'usesIn'
>

/** Writes the limits of the key in a slot. Uses that were counted meanwhile stay. */
export function writeLimits({ userId, provider }: Slot, limits: KeptLimits): Statement {
  const { pausedAt, callers, expiresAt, maxUses, maxUsesPer, uses, usesIn } = limits
  return {
    sql: `UPDATE api_keys SET revision = revision + 1, paused_at = ?3, callers = ?4, expires_at = ?5,
            expiry_noted = CASE WHEN expires_at IS ?5 THEN expiry_noted ELSE 0 END,
            max_uses = ?6, max_uses_per = ?7,
            uses = CASE WHEN uses_in >= coalesce(?9, '') THEN max(uses, ?8) ELSE ?8 END,
            uses_in = nullif(max(coalesce(uses_in, ''), coalesce(?9, '')), '')
          WHERE user_id = ?1 AND provider = ?2`,
    values: [userId, provider, pausedAt, callers, expiresAt, maxUses, maxUsesPer, uses, usesIn],
  }
}
