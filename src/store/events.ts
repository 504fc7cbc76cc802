/**
 * The table `api_key_events`: what happened to a user's keys. An event never holds a key or a part of one.
 * The table's key begins with the day, so that the job finds old events without an index.
 */

import type { Slot } from '../crypto/seal.ts'
import type { EventAnswer } from '../shared/answers.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import type { EventKind, LookKind } from '../shared/event-kind.ts'
import type { Verdict } from '../shared/slot.ts'
import type { Selection } from './gone-keys.ts'
import { MAX_EVENTS_A_DAY, NOW, refuse, type Statement } from './d1.ts'

/** Who did something: the owner of the keys, a caller (null if its token does not name it), or the vault. */
export type Actor = { kind: 'owner' | 'job' | 'import' } | { kind: 'caller'; name: string | null }

/** What happened to the key in a slot. */
export interface NewEvent extends Slot {
  event: EventKind
  by: Actor
  requestId?: string | undefined
  verdict?: Verdict
  providerStatus?: number
  /** The end of its id, of 16 characters, for {@link selectEventsSince}. If it is missing, D1 makes a random one. */
  mark?: string | undefined
}

/** An event as it is stored. Times are ISO 8601 in UTC. */
export interface EventRow {
  /** Begins with the time of the event; for a sum, with the end of its hour. */
  id: string
  provider: string
  event: EventKind
  actor: Actor['kind']
  caller: string | null
  code: ErrorCode | null
  verdict: Verdict | null
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
  const { id, provider, event, actor: by, firstAt, lastAt, caller } = row
  const answer: EventAnswer = { id, provider, event, by, at: firstAt ?? id.slice(0, TIME_LENGTH) }
  if (caller !== null) answer.caller = caller
  if (lastAt !== null) {
    answer.last_at = lastAt
    answer.count = row.count
    answer.errors = row.errors
  }
  if (row.code !== null) answer.code = row.code
  if (row.verdict !== null) answer.verdict = row.verdict
  if (row.providerStatus !== null) answer.provider_status = row.providerStatus
  if (row.requestId !== null) answer.request_id = row.requestId
  return answer
}

/** The id of an event begins with its time. */
const TIME_LENGTH = '2026-11-25T12:00:00.000Z'.length

/** The columns of an {@link EventRow}. */
const COLUMNS = `id, provider, event, actor, caller, code, verdict, provider_status AS providerStatus,
  request_id AS requestId, count, errors, first_at AS firstAt, last_at AS lastAt`
/** Returns each {@link WrittenEvent}. */
export const RETURNING_EVENT = `RETURNING user_id AS userId, ${COLUMNS}`

/** The end of the id of an event that may happen again. */
const RANDOM = 'lower(hex(randomblob(4)))'
const LOOKS: readonly LookKind[] = ['revealed', 'viewed']
const IN_LOOKS = `IN ('${LOOKS.join("', '")}')`

/** What can be done without end. A pause and a deletion are not in it: they need a change that is. */
const LIMITED: ReadonlySet<EventKind> = new Set([
  'saved',
  'assigned',
  'verified',
  'rejected_on_save',
  'resumed',
  'limits_changed',
  ...LOOKS,
])
const DAY = 'substr(at, 1, 10)'
/**
 * The day. It fails if the user has too many events of it. Looks count by themselves, so that no caller keeps the owner
 * from saving, and no owner keeps a caller from a key.
 */
const DAY_WITH_ROOM = `CASE WHEN ${MAX_EVENTS_A_DAY} > (
    SELECT count(*) FROM api_key_events
    WHERE day = ${DAY} AND user_id = ?1 AND (event ${IN_LOOKS}) = (?3 ${IN_LOOKS})
  ) THEN ${DAY} ELSE ${refuse('too_many_events')} END`

/** Notes an event, if the user exists. It returns the event. */
export function noteEvent(event: NewEvent): Statement<WrittenEvent> {
  return insert(event, 'users WHERE id = ?1')
}

/** A change of one slot with its event, which is noted if the change changes a row. */
export function noted<Row>(
  change: Statement<Row>,
  event: NewEvent,
): [change: Statement<Row>, event: Statement<WrittenEvent>] {
  return [change, insert(event, 'users WHERE id = ?1 AND changes() > 0')]
}

/** A change that saves a key, with its event: `replaced` if the slot had another one. */
export function notedSave<Row>(
  change: Statement<Row>,
  event: Omit<NewEvent, 'event'>,
): [change: Statement<Row>, event: Statement<WrittenEvent>] {
  const saved = 'api_keys WHERE user_id = ?1 AND provider = ?2 AND changes() > 0'
  const kind = "CASE revision WHEN 1 THEN ?3 ELSE 'replaced' END"
  return [change, insert({ ...event, event: 'saved' }, saved, kind)]
}

/** A statement that notes an event for each row of `source`, in SQL, of the kind `kind`. */
export function insert(
  { userId, provider, event, by, requestId, verdict, providerStatus, mark }: NewEvent,
  source: string,
  kind = '?3',
): Statement<WrittenEvent> {
  const caller = by.kind === 'caller' ? by.name : null
  const isLimited = by.kind !== 'job' && LIMITED.has(event)
  return {
    sql: `INSERT INTO api_key_events
            (day, user_id, id, provider, event, actor, caller, request_id, verdict, provider_status)
          SELECT ${isLimited ? DAY_WITH_ROOM : DAY}, ?1, at || '.' || coalesce(?9, ${RANDOM}), ?2, ${kind}, ?4, ?5, ?6,
            ?7, ?8
          FROM (SELECT ${NOW} AS at), ${source} ${RETURNING_EVENT}`,
    values: [
      userId,
      provider,
      event,
      by.kind,
      caller,
      requestId ?? null,
      verdict ?? null,
      providerStatus ?? null,
      mark ?? null,
    ],
  }
}

/** The same event for many keys. */
interface SameEvent {
  event: EventKind
  by: Actor['kind']
  /** When it happened, and the end of its id, in SQL. */
  at?: string
  mark?: string
}

/** Notes the same event for the keys in the `slots` (`user_id`, `provider`). */
export function noteRows(
  { event, by, at = NOW, mark = RANDOM }: SameEvent,
  { sql, values }: Selection,
): Statement {
  return {
    sql: `INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
          SELECT ${DAY}, user_id, at || '.' || mark, provider, '${event}', '${by}'
          FROM (SELECT ${at} AS at, user_id, provider, ${mark} AS mark FROM (${sql})) WHERE TRUE`,
    values,
  }
}

/** As {@link noteRows}, and returns the events. */
export function noteAndReturn(event: SameEvent, slots: Selection): Statement<WrittenEvent> {
  const { sql, values } = noteRows(event, slots)
  return { sql: `${sql} ${RETURNING_EVENT}`, values }
}

/** The events of the slot since a time, of today or yesterday. */
export function selectEventsSince(
  { userId, provider }: Slot,
  since: string,
): Statement<WrittenEvent> {
  return {
    sql: `SELECT user_id AS userId, ${COLUMNS} FROM api_key_events
          WHERE day IN (date('now'), date('now', '-1 day')) AND user_id = ?1
            AND id >= ?3 AND provider = ?2 AND last_at IS NULL`,
    values: [userId, provider, since],
  }
}

/** A table `days` of the days that have events, from the one of `time`: one read for each. */
const daysUntil = (time: string) => `WITH RECURSIVE days (day) AS (
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
  /** The names that a slot has in the trail; null for all slots. */
  slot: readonly string[] | null
  limit: number
}

/** The user's next events, the newest first. */
export function selectEvents(
  userId: string,
  { before, from, slot, limit }: EventRange,
): Statement<EventRow> {
  return {
    sql: `${daysUntil('?2')}
          SELECT ${COLUMNS}
          FROM days CROSS JOIN api_key_events AS event ON event.day = days.day
          WHERE user_id = ?1 AND id < ?2 AND id >= ?5 AND days.day >= substr(?5, 1, 10)
            AND (?3 IS NULL OR provider IN (SELECT value FROM json_each(?3)))
          ORDER BY id DESC LIMIT ?4`,
    values: [userId, before, slot === null ? null : JSON.stringify(slot), limit, from],
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
