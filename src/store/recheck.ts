/**
 * The table `recheck`: its only row is the recheck job's latest lap over the keys. A lap goes in the order of the keys'
 * identities, which are random, and which stay when a key is moved or sealed again.
 */

import { COLUMNS, PROVIDER, type KeyRow } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** How many rows under each kid a run looks at, at most. */
export const ROWS_AT_ONCE = 500
/** Sorts after every identity, since identities are hex. */
export const END = '~'

/** What makes a key idle. Times are ISO 8601 in UTC. */
export interface Idle {
  /** The kids that sealed it. */
  kids: readonly string[]
  /** The providers that it may be of. */
  providers: readonly string[]
  /** It was saved, used and checked at this time or before. */
  since: string
  /** It has not expired by now. */
  now: string
}

/** The values `?1` to `?4` of {@link IS_IDLE}. */
function valuesOf({ kids, providers, since, now }: Idle): Statement['values'] {
  return [JSON.stringify(kids), JSON.stringify(providers), since, now]
}

const IS_IDLE = `${PROVIDER} IN (SELECT value FROM json_each(?2))
  AND max(updated_at, coalesce(last_used_at, ''), coalesce(last_verified_at, '')) <= ?3
  AND paused_at IS NULL AND (expires_at IS NULL OR expires_at > ?4)`

/** How far a lap is. */
export interface Lap {
  /** It has claimed the keys up to this identity. */
  after: string
  /** Null while it is under way. */
  endedAt: string | null
}

/** An idle key of a lap. */
export interface IdleKey extends Pick<KeyRow, 'identity'> {
  /** Without the label of its slot. */
  provider: string
}

/** The row of a lap without an idle key. */
interface NoKey {
  identity: null
}

/**
 * The next idle keys of the lap, at most `limit`, each with the lap, and with the identity up to which the rows were looked
 * at. It returns no row if the last lap ended after `rested`, and otherwise at least one.
 */
export function selectIdle(
  idle: Idle,
  { rested, limit }: { rested: string; limit: number },
): Statement<Lap & { upTo: string } & (IdleKey | NoKey)> {
  const nth = `SELECT identity FROM api_keys WHERE key_id = value AND identity > after_identity
    ORDER BY identity LIMIT 1 OFFSET ${ROWS_AT_ONCE - 1}`
  return {
    sql: `WITH lap AS MATERIALIZED (
            SELECT after_identity, ended_at, coalesce(
                (SELECT min((${nth})) FROM json_each(?1)), '${END}'
              ) AS up_to
            FROM recheck WHERE ended_at IS NULL OR ended_at <= ?5
          )
          SELECT after_identity AS after, ended_at AS endedAt, up_to AS upTo, identity, ${PROVIDER} AS provider
          FROM lap LEFT JOIN json_each(?1) LEFT JOIN api_keys
            ON key_id = value AND identity > after_identity AND identity <= up_to AND ${IS_IDLE}
          ORDER BY identity IS NULL, identity LIMIT ?6`,
    values: [...valuesOf(idle), rested, limit],
  }
}

/** Claims the keys up to an identity, or {@link END}. It changes no row if another run has claimed some meanwhile. */
export function claimUpTo(upTo: string, { after, endedAt }: Lap, now: string): Statement {
  return {
    sql: `UPDATE recheck SET after_identity = ?3, ended_at = ?4
          WHERE after_identity = ?1 AND ended_at IS ?2`,
    values: [after, endedAt, ...(upTo === END ? ['', now] : [upTo, null])],
  }
}

/** The key with this identity, if it is still idle. */
export function selectIdleKey(identity: string, idle: Idle): Statement<KeyRow> {
  return {
    sql: `SELECT ${COLUMNS} FROM json_each(?1) CROSS JOIN api_keys
          ON key_id = value AND identity = ?5 AND ${IS_IDLE}`,
    values: [...valuesOf(idle), identity],
  }
}
