/** Notes events in the table `api_key_events`: one by one, for many keys, or as sums: a row for each day. */

import type { Slot } from '../crypto/seal.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import { LOOKS, type EventKind, type SumKind } from '../shared/event-kind.ts'
import type { RejectionReason, Verdict } from '../shared/slot.ts'
import { MAX_EVENTS_A_DAY, NOW, refuse, type Statement } from './d1.ts'
import { COMMON_COLUMNS, EVENT_COLUMNS, type Actor, type WrittenEvent } from './events.ts'
import type { Selection } from './gone-keys.ts'

/** What happened to the key in a slot. */
export interface NewEvent extends Slot {
  event: EventKind
  by: Actor
  /** The member of a team who did it. */
  member?: string | undefined
  requestId?: string | undefined
  verdict?: Verdict
  reason?: RejectionReason | null
  providerStatus?: number
  /** The end of its id, of 16 characters or more, for `selectEventsSince`. If it is missing, D1 makes a random one. */
  mark?: string | undefined
}

/** Returns each {@link WrittenEvent}. */
const RETURNING_EVENT = `RETURNING user_id AS userId, ${EVENT_COLUMNS}`

/** The end of the id of an event that may happen again. */
const RANDOM = 'lower(hex(randomblob(4)))'
const IN_LOOKS = `IN ('${LOOKS.join("', '")}')`

/**
 * Events that are noted however many the day has: no use fails for one, and an owner can always pause or delete a key. None
 * of them happens again before the key has changed.
 */
const UNLIMITED: ReadonlySet<EventKind> = new Set(['deleted', 'paused', 'rejected_in_use'])
const DAY = 'substr(at, 1, 10)'
/**
 * The day of an event. It fails if the user has too many events on it. Looks count by themselves, so that no caller keeps
 * the owner from saving, and no owner keeps a caller from a key. Sums do not count: a team has some for each member.
 */
const DAY_WITH_ROOM = `CASE WHEN ${MAX_EVENTS_A_DAY} > (
    SELECT count(*) FROM api_key_events
    WHERE day = ${DAY} AND user_id = ?1 AND hours IS NULL AND (event ${IN_LOOKS}) = (?3 ${IN_LOOKS})
  ) THEN ${DAY} ELSE ${refuse('too_many_events')} END`

/** They may alternate with each use, if some uses are free. */
const CONDITIONS: ReadonlySet<EventKind> = new Set(['out_of_credit', 'in_credit'])
/** Whether the day has room for another event of a condition. If not, the change is made without one. */
const HAS_ROOM = `100 > (
    SELECT count(*) FROM api_key_events
    WHERE day = ${DAY} AND user_id = ?1 AND event IN ('${[...CONDITIONS].join("', '")}')
  )`

/** Notes an event, if the user exists. It returns the event. */
export function noteEvent(event: NewEvent): Statement<WrittenEvent> {
  return insert(event, 'users WHERE id = ?1')
}

/** A change of one slot with its events, which are noted if the change changes a row. */
export function noted<Row>(
  change: Statement<Row>,
  ...events: readonly NewEvent[]
): [change: Statement<Row>, ...events: Statement<WrittenEvent>[]] {
  return [change, ...events.map(noteAfter)]
}

/** Notes an event if the statement before has changed a row. */
function noteAfter(event: NewEvent): Statement<WrittenEvent> {
  const room = CONDITIONS.has(event.event) ? ` AND ${HAS_ROOM}` : ''
  return insert(event, `users WHERE id = ?1 AND changes() > 0${room}`)
}

/**
 * A change that saves a key, with its events: `replaced` if the slot had another one, and the `others`. All have the mark at
 * the end of their ids.
 */
export function notedSave<Row>(
  change: Statement<Row>,
  event: Omit<NewEvent, 'event'>,
  others: readonly Pick<NewEvent, 'event'>[],
): Statement<Row | WrittenEvent>[] {
  const saved = 'api_keys WHERE user_id = ?1 AND provider = ?2 AND changes() > 0'
  const kind = "CASE revision WHEN 1 THEN ?3 ELSE 'replaced' END"
  // If they have the same time, their ids differ, and follow that of `saved`, whose mark is hex.
  const markOf = (index: number) => event.mark && `z${index}.${event.mark}`
  return [
    change,
    insert({ ...event, event: 'saved' }, saved, kind),
    ...others.map((other, index) => noteAfter({ ...event, ...other, mark: markOf(index) })),
  ]
}

/** The first parameter that {@link insert} leaves to its `source`. */
export const FREE_PARAMETER = '?12'

/** A statement that notes an event for each row of `source`, in SQL, of the kind `kind`. */
export function insert(
  {
    userId,
    provider,
    event,
    by,
    member,
    requestId,
    verdict,
    reason,
    providerStatus,
    mark,
  }: NewEvent,
  source: string,
  kind = '?3',
): Statement<WrittenEvent> {
  const caller = 'name' in by ? by.name : null
  const isLimited = by.kind !== 'job' && !UNLIMITED.has(event) && !CONDITIONS.has(event)
  return {
    sql: `INSERT INTO api_key_events
            (day, user_id, id, provider, event, actor, caller, request_id, verdict, provider_status, reason, member)
          SELECT ${isLimited ? DAY_WITH_ROOM : DAY}, ?1, at || '.' || coalesce(?9, ${RANDOM}), ?2, ${kind}, ?4, ?5, ?6,
            ?7, ?8, ?10, (SELECT identity FROM users WHERE users.id = ?11)
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
      reason ?? null,
      member ?? null,
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

/** What is counted. */
export interface Counted extends Slot {
  /** A user who was removed, and is added again, has another one. */
  userIdentity: string
  event: SumKind
  caller: string | null
  /** The identity of the user who used a team's key; null for a user's own key. */
  member: string | null
  code: ErrorCode | null
}

/** How often in an hour, how many errors, and when first and last: the minute in it, as in `02:11.120`. */
export type Hour = [count: number, errors: number, first: string, last: string]
/** By the hour of the day: `00` to `23`. */
export type Hours = Record<string, Hour>

/** What callers did with a key on one day, in UTC, as far as one isolate has counted it. */
export interface Sum extends Counted {
  day: string
  hours: Hours
}

/** The bytes that D1 takes for a parameter: https://developers.cloudflare.com/d1/platform/limits/ */
const MAX_BYTES = 2_000_000

/** The sums in parts, each of which D1 takes with one statement. A user id alone may have 6,000 bytes. */
export function splitSums(sums: readonly Sum[]): Sum[][] {
  const parts: Sum[][] = []
  let part: Sum[] = []
  let bytes = Infinity
  for (const sum of sums) {
    // A bracket before the first row, and a comma or a bracket after each.
    const size = encoder.encode(JSON.stringify(toRow(sum))).length + 1
    if (bytes + size > MAX_BYTES) {
      part = []
      parts.push(part)
      bytes = 1
    }
    part.push(sum)
    bytes += size
  }
  return parts
}

const encoder = new TextEncoder()

/** The hours of two rows, added up. */
const BOTH_HOURS = `SELECT json_group_object(key, json(hour)) FROM (
    SELECT key, json_array(sum(value ->> 0), sum(value ->> 1), min(value ->> 2), max(value ->> 3)) AS hour
    FROM (
      SELECT key, value FROM json_each(api_key_events.hours)
      UNION ALL SELECT key, value FROM json_each(excluded.hours)
    ) GROUP BY key
  )`

/** A row of sums, with what was added to it. */
export type SumRow = Omit<WrittenEvent, 'count' | 'errors' | 'firstAt' | 'lastAt'> & {
  day: string
  /** {@link Hours}, in JSON. */
  hours: string
}

/**
 * Adds to the sums of a day: one row for each slot, caller, member, kind and code, which has all hours. So the hours of a
 * row are written for the price of one. Removed users are left out. It returns the rows.
 */
export function addSums(sums: readonly Sum[]): Statement<SumRow> {
  return {
    sql: `INSERT INTO api_key_events
            (day, user_id, id, provider, event, actor, caller, code, member, hours)
          SELECT value ->> 0, users.id, value ->> 2, value ->> 3, value ->> 4, 'caller', value ->> 5,
            value ->> 6, value ->> 7, value -> 8
          FROM json_each(?1) JOIN users ON users.id = value ->> 1 AND users.identity = value ->> 9
          WHERE TRUE
          ON CONFLICT (day, user_id, id) DO UPDATE SET hours = (${BOTH_HOURS})
          RETURNING user_id AS userId, day, id, ${COMMON_COLUMNS}, hours`,
    values: [JSON.stringify(sums.map(toRow))],
  }
}

function toRow(sum: Sum): unknown[] {
  return [
    sum.day,
    sum.userId,
    nameSum(sum),
    sum.provider,
    sum.event,
    sum.caller,
    sum.code,
    sum.member,
    sum.hours,
    sum.userIdentity,
  ]
}

/** The id of a row of sums: the same in all isolates, and on all days. */
export function nameSum({ event, code, provider, caller, member }: Counted): string {
  const about = [event, code, provider, caller]
  return JSON.stringify(member === null ? about : [...about, member])
}

/** The events of a row's hours that hold no more than what was `added`: they are new. */
export function begunIn({ hours: json, day, ...row }: SumRow, added: Hours = {}): WrittenEvent[] {
  const hours: Hours = JSON.parse(json)
  return Object.entries(hours).flatMap(([hour, [count, errors, first, last]]) => {
    if (count !== added[hour]?.[0]) return []
    const inHour = (rest: string) => `${day}T${hour}:${rest}`
    const id = inHour(`59:59.999Z.${row.id}`)
    return [{ ...row, id, count, errors, firstAt: inHour(`${first}Z`), lastAt: inHour(`${last}Z`) }]
  })
}
