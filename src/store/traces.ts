/** Which rows name an owner: a user, or a team. */

import type { Statement } from './d1.ts'
import { daysUntil, LATEST } from './events.ts'

/** A table, and how many of its rows name the owner. */
export interface Trace {
  place: string
  rows: number
}

/** The tables that may hold the text of an owner, or its HMAC, and the column. All others hold only random ids. */
const PLACES = [
  ['users', 'id'],
  ['api_keys', 'user_id'],
  ['member_uses', 'user_id'],
  ['api_key_events', 'user_id'],
  ['imported_keys', 'user_id'],
  ['removed_users', 'hmac'],
  ['rewrap', 'after_user_id'],
] as const

/** Counts the rows of each table that name the owner. */
export function countTraces(userId: string, hmac: string | null): Statement<Trace>[] {
  return PLACES.map(([place, column]) => {
    const [days, ofDays] =
      place === 'api_key_events' ? [daysUntil('?3'), 'AND day IN (SELECT day FROM days)'] : ['', '']
    return {
      sql: `${days} SELECT '${place}' AS place, count(*) AS rows FROM ${place}, (SELECT ?3)
            WHERE ${column} = ${column === 'hmac' ? '?2' : '?1'} ${ofDays}`,
      values: [userId, hmac, LATEST],
    }
  })
}
