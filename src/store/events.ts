/**
 * The table `api_key_events`: what happened to a user's keys. An event never holds a key or a part of one.
 * The table's key begins with the day, so that the job finds old events without an index.
 */

import type { Slot } from '../crypto/seal.ts'
import type { EventAnswer } from '../shared/answers.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { EventKind } from '../shared/event-kind.ts'
import { readOwner } from '../shared/owner.ts'
import type { RejectionReason, Verdict } from '../shared/slot.ts'
import type { Selection } from './gone-keys.ts'
import type { Statement } from './d1.ts'

/**
 * Who did something: the owner of the keys, a caller that uses them (null if its token does not name it), the operator of
 * the application through a caller, or the vault.
 */
export type Actor =
  | { kind: 'owner' | 'job' | 'import' }
  | { kind: 'caller'; name: string | null }
  | { kind: 'operator'; name: string }

/** An event as it is stored. Times are ISO 8601 in UTC. */
export interface EventRow {
  /** Begins with the time of the event; for a sum, with the end of its hour. */
  id: string
  provider: string
  event: EventKind
  actor: Actor['kind']
  caller: string | null
  /** The member of a team who did it; null of a user's own keys, or if the member is gone. */
  member: string | null
  code: ErrorCode | null
  verdict: Verdict | null
  /** Why the provider rejected the key. */
  reason: RejectionReason | null
  providerStatus: number | null
  requestId: string | null
  count: number
  errors: number
  /** Null for an event that is not a sum. */
  firstAt: string | null
  lastAt: string | null
}

/** An event that a statement has just written. */
export interface WrittenEvent extends EventRow {
  userId: string
}

/**
 * An event in the words of the contract. An export has 10,000 of them: spread objects took a third more time, with
 * JSON.stringify.
 */
export function describeEvent(row: EventRow): EventAnswer {
  const { id, provider, event, actor: by, firstAt, lastAt, caller, member } = row
  const answer: EventAnswer = { id, provider, event, by, at: firstAt ?? id.slice(0, TIME_LENGTH) }
  if (caller !== null) answer.caller = caller
  if (member !== null) answer.member = readOwner(member).id
  if (lastAt !== null) {
    answer.last_at = lastAt
    answer.count = row.count
    answer.errors = row.errors
  }
  if (row.code !== null) answer.code = row.code
  if (row.verdict !== null) answer.verdict = row.verdict
  if (row.reason !== null) answer.reason = row.reason
  if (row.providerStatus !== null) answer.provider_status = row.providerStatus
  if (row.requestId !== null) answer.request_id = row.requestId
  return answer
}

/** The id of an event begins with its time. */
const TIME_LENGTH = '2026-11-25T12:00:00.000Z'.length

/** What the rows of one event and of sums have. The column `member` has an identity, which tells nothing once the member is gone. */
export const COMMON_COLUMNS = `provider, event, actor, caller,
  (SELECT users.id FROM users WHERE users.identity = member) AS member, code, verdict, reason, provider_status AS providerStatus,
  request_id AS requestId`

/** The columns of an {@link EventRow} that is not a sum. */
export const EVENT_COLUMNS = `id, ${COMMON_COLUMNS}, 1 AS count, 0 AS errors, NULL AS firstAt, NULL AS lastAt`

/** The id of a row of {@link eventsIn}. */
const ID = "coalesce(event.day || 'T' || hour.key || ':59:59.999Z.', '') || event.id"
const timeOf = (index: number) =>
  `event.day || 'T' || hour.key || ':' || (hour.value ->> ${index}) || 'Z'`

/** The rows of {@link selectEvents} and of an export: each {@link EventRow}, and one for each hour of sums. */
export const eventsIn = (
  source: string,
) => `SELECT user_id AS userId, ${ID} AS id, ${COMMON_COLUMNS},
    coalesce(hour.value ->> 0, 1) AS count, coalesce(hour.value ->> 1, 0) AS errors,
    ${timeOf(2)} AS firstAt, ${timeOf(3)} AS lastAt
  FROM ${source} LEFT JOIN json_each(event.hours) AS hour`

/** The events of the slot since a time, of today or yesterday. */
export function selectEventsSince(
  { userId, provider }: Slot,
  since: string,
): Statement<WrittenEvent> {
  return {
    sql: `SELECT user_id AS userId, ${EVENT_COLUMNS} FROM api_key_events
          WHERE day IN (date('now'), date('now', '-1 day')) AND user_id = ?1
            AND id >= ?3 AND provider = ?2 AND hours IS NULL`,
    values: [userId, provider, since],
  }
}

/** A table `days` of the days that have events, from the one of `time`: one read for each. */
export const daysUntil = (time: string) => `WITH RECURSIVE days (day) AS (
    SELECT max(day) FROM api_key_events WHERE day <= substr(${time}, 1, 10)
    UNION ALL
    SELECT (SELECT max(day) FROM api_key_events AS older WHERE older.day < days.day)
    FROM days WHERE days.day IS NOT NULL
  )`

/** After the id of every event. */
export const LATEST = '9999'

/** Which events to read. */
export interface EventRange {
  /** Reads events with lower ids: an id, or {@link LATEST}. */
  before: string
  /** Reads events with this id or a higher one; empty for all. */
  from: string
  /** The names that a slot has in the trail; null for all slots. The name of a provider covers all its slots. */
  slot: readonly string[] | null
  /** The member of a team whose events they are; null for all events. */
  member?: string | null
  limit: number
}

/** The owner's next events, the newest first. */
export function selectEvents(
  userId: string,
  { before, from, slot, member = null, limit }: EventRange,
): Statement<EventRow> {
  return {
    sql: `${daysUntil('?2')}
          ${eventsIn('days CROSS JOIN api_key_events AS event ON event.day = days.day')}
          WHERE user_id = ?1 AND ${ID} < ?2 AND ${ID} >= ?5 AND days.day >= substr(?5, 1, 10)
            AND (?3 IS NULL OR EXISTS (
              SELECT 1 FROM json_each(?3) WHERE value = provider OR instr(provider, value || ':') = 1
            ))
            AND (?6 IS NULL OR member = (SELECT identity FROM users WHERE users.id = ?6))
          ORDER BY id DESC LIMIT ?4`,
    values: [userId, before, slot === null ? null : JSON.stringify(slot), limit, from, member],
  }
}

/** Deletes the events of the users with these ids. */
export function deleteEventsOf({ sql, values }: Selection): Statement {
  const latest = `?${values.length + 1}`
  return {
    sql: `${daysUntil(latest)}
          DELETE FROM api_key_events WHERE user_id IN (${sql}) AND day IN (SELECT day FROM days)`,
    values: [...values, LATEST],
  }
}

/** The most events that a run of the job deletes. */
const DELETED_AT_ONCE = 5_000

/** Deletes events of the days before `day`, the oldest first. */
export function deleteEvents(day: string): Statement {
  return {
    sql: `DELETE FROM api_key_events WHERE (day, user_id, id) IN (
            SELECT day, user_id, id FROM api_key_events WHERE day < ?1
            ORDER BY day, user_id, id LIMIT ${DELETED_AT_ONCE}
          )`,
    values: [day],
  }
}
