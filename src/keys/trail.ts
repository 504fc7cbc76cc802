/** The trail: what happened to a user's keys, for the user and for nobody else. */

import { LATEST, selectEvents, type EventRow } from '../store/events.ts'
import { selectUser } from '../store/users.ts'
import { ALL_SLOTS, look } from './look.ts'
import { findSlot, namesOf } from './slot-name.ts'
import type { SlotOwner } from './stored-key.ts'
import { requireAnyUser } from './users.ts'

/** The events of a page, by default and at most. */
export const DEFAULT_EVENTS = 50
export const MAX_EVENTS = 200
/** How many events an export reads with one round trip to D1, and has at most. */
const EXPORTED_AT_ONCE = 1_000
export const MAX_EXPORTED = 10_000

/** Which events to read. */
export interface EventQuery {
  /** Begins after the event with this id. */
  cursor?: string | undefined
  /** The name of a slot; all slots, if it is missing. */
  provider?: string | undefined
  /** At this time or later: ISO 8601 in UTC, with milliseconds. */
  from?: string | undefined
  /** Before this time. */
  to?: string | undefined
  limit: number
}

/** Events, the newest first. */
export interface EventPage {
  events: EventRow[]
  /** The cursor of the next page; null at the end. */
  next: string | null
}

/**
 * The user's next events. The look of an operator is noted.
 *
 * @throws VaultError `user_not_found`, `rate_limited`, `database_busy`
 */
export async function listEvents(owner: SlotOwner, query: EventQuery): Promise<EventPage> {
  const { settings } = owner.service
  const { cursor = LATEST, provider, from = '', to = LATEST, limit } = query
  const slot = provider === undefined ? null : findSlot(settings, provider)
  const names = slot === null ? null : namesOf(settings, slot)
  const before = cursor < to ? cursor : to
  // A name that is not known may be a misplaced key.
  const [user, read] = await look(owner, slot?.isKnown === true ? slot.name : ALL_SLOTS, [
    selectUser(owner.userId),
    // One more than the page has tells whether another page follows.
    selectEvents(owner.userId, { before, from, slot: names, limit: limit + 1 }),
  ])
  if (user.results.length === 0) requireAnyUser(owner)
  const rows = read.results
  const events = rows.slice(0, limit)
  const last = rows.length > limit ? events.at(-1) : undefined
  return { events, next: last?.id ?? null }
}

/**
 * At most {@link MAX_EXPORTED} events of the user, a page after the other. It returns the cursor of the next export;
 * null at the end. `limit` does not count here.
 *
 * @throws as {@link listEvents}
 */
export async function* exportEvents(
  owner: SlotOwner,
  query: EventQuery,
): AsyncGenerator<EventRow[], string | null> {
  let cursor = query.cursor ?? LATEST
  for (let read = 0; read < MAX_EXPORTED; read += EXPORTED_AT_ONCE) {
    // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
    const { events, next } = await listEvents(owner, { ...query, cursor, limit: EXPORTED_AT_ONCE })
    yield events
    if (next === null) return null
    cursor = next
  }
  return cursor
}
