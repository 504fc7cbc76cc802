/** What the owner of a key allows: the columns of `api_keys` that say who may use it, and how often. */

import type { Slot } from '../crypto/seal.ts'
import type { KeyRow, Period } from './api-keys.ts'
import type { WrittenEvent } from './events.ts'
import { FREE_PARAMETER, insert, type NewEvent } from './noted-events.ts'
import { NOW, type Statement } from './d1.ts'

/** How often a key may be used in a period. */
export interface Maximum {
  count: number
  per: Period
}

/** What changes of a key's limits. What is undefined stays as it is, and null removes it. */
export interface NewLimits {
  isPaused?: boolean | undefined
  callers?: readonly string[] | null | undefined
  maxUses?: Maximum | null | undefined
  /** Of a team's key. */
  maxUsesPerMember?: Maximum | null | undefined
  /** ISO 8601 in UTC. */
  expiresAt?: string | null | undefined
}

/** The columns that a change of limits may change, each with its new value. `json` has what changes. */
function newValues(json: string): Record<string, string> {
  const change = (column: string, field: string) =>
    `CASE WHEN json_type(${json}, '$.${field}') IS NULL THEN ${column} ELSE ${json} ->> '${field}' END`
  return {
    paused_at: `CASE json_type(${json}, '$.isPaused')
      WHEN 'true' THEN coalesce(paused_at, ${NOW}) WHEN 'false' THEN NULL ELSE paused_at END`,
    callers: change('callers', 'callers'),
    expires_at: change('expires_at', 'expiresAt'),
    max_uses: change('max_uses', 'count'),
    max_uses_per: change('max_uses_per', 'per'),
    max_uses_per_member: change('max_uses_per_member', 'memberCount'),
    max_uses_per_member_per: change('max_uses_per_member_per', 'memberPer'),
  }
}

/** The key in the slot, if the change changes anything of it. */
function changedKey(json: string): string {
  const values = newValues(json)
  const isChanged = `(${Object.keys(values).join(', ')}) IS NOT (${Object.values(values).join(', ')})`
  return `user_id = ?1 AND provider = ?2 AND ${isChanged}`
}

const KIND = `CASE
    WHEN paused_at IS NULL AND json_type(${FREE_PARAMETER}, '$.isPaused') = 'true' THEN 'paused'
    WHEN paused_at IS NOT NULL AND json_type(${FREE_PARAMETER}, '$.isPaused') = 'false' THEN 'resumed'
    ELSE ?3
  END`

/**
 * Changes the limits of the key in a slot. It is noted as one event: `paused`, `resumed` or `limits_changed`. Nothing is
 * noted if nothing changes. With another period, the count of uses starts again.
 */
export function updateLimits(
  event: Omit<NewEvent, 'event'>,
  { isPaused, callers, maxUses, maxUsesPerMember, expiresAt }: NewLimits,
): [event: Statement<WrittenEvent>, ...changes: Statement[]] {
  const { count, per } = fieldsOf(maxUses)
  const { count: memberCount, per: memberPer } = fieldsOf(maxUsesPerMember)
  const others = [callers, maxUses, maxUsesPerMember, expiresAt]
  const isPause = isPaused === true && others.every(isUndefined)
  const note = insert(
    { ...event, event: isPause ? 'paused' : 'limits_changed' },
    `api_keys WHERE ${changedKey(FREE_PARAMETER)}`,
    KIND,
  )
  const json = JSON.stringify({ isPaused, callers, expiresAt, count, per, memberCount, memberPer })
  const set = Object.entries(newValues('?3')).map(([column, value]) => `${column} = ${value}`)
  const isSamePeriod = "json_type(?3, '$.per') IS NULL OR max_uses_per = ?3 ->> 'per'"
  return [
    { ...note, values: [...note.values, json] },
    ...(memberPer === undefined ? [] : [forgetMemberUses(event, memberPer)]),
    {
      sql: `UPDATE api_keys SET revision = revision + 1, ${set.join(', ')},
              expiry_noted = CASE WHEN json_type(?3, '$.expiresAt') IS NULL THEN expiry_noted ELSE 0 END,
              uses = CASE WHEN ${isSamePeriod} THEN uses ELSE 0 END,
              uses_in = CASE WHEN ${isSamePeriod} THEN uses_in END
            WHERE ${changedKey('?3')}`,
      values: [event.userId, event.provider, json],
      changes: event.userId,
    },
  ]
}

function fieldsOf(maximum: Maximum | null | undefined) {
  return maximum === null ? { count: null, per: null } : (maximum ?? {})
}

/** Forgets the uses of each member if the period changes to `per`. */
function forgetMemberUses({ userId, provider }: Slot, per: Period | null): Statement {
  return {
    sql: `DELETE FROM member_uses WHERE user_id = ?1 AND provider = ?2 AND NOT EXISTS (
            SELECT 1 FROM api_keys WHERE user_id = ?1 AND provider = ?2 AND max_uses_per_member_per = ?3
          )`,
    values: [userId, provider, per],
  }
}

const isUndefined = (value: unknown) => value === undefined

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
    changes: userId,
  }
}
