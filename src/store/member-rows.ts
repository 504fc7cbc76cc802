/** What the rows of teams hold about one of their members. They name the member only by a random identity. */

import type { Statement } from './d1.ts'
import { daysUntil, eventsIn, LATEST, type WrittenEvent } from './events.ts'

/** The days that have events, the latest first. The last row is null. */
export function selectDays(): Statement<{ day: string | null }> {
  return { sql: `${daysUntil('?1')} SELECT day FROM days`, values: [LATEST] }
}

/** The events of teams that the member has caused on a day, the newest first. It reads all events of the day. */
export function selectEventsOfMember(identity: string, day: string): Statement<WrittenEvent> {
  return {
    sql: `${eventsIn('api_key_events AS event')}
          WHERE day = ?2 AND event.member = ?1 ORDER BY id DESC`,
    values: [identity, day],
  }
}

/** How often a member has used a team's key in a period. */
export interface MemberUses {
  userId: string
  provider: string
  uses: number
  usesIn: string
}

/** The uses of the member that are counted for a maximum per member. It reads the whole table. */
export function selectUsesOfMember(identity: string): Statement<MemberUses> {
  return {
    sql: `SELECT user_id AS userId, provider, uses, uses_in AS usesIn FROM member_uses
          WHERE member = ?1 ORDER BY user_id, provider`,
    values: [identity],
  }
}
