/** The trail: what happened to a user's keys, for the user and for nobody else. */

import { runBatch } from '../store/d1.ts'
import { LATEST, selectEvents, type EventRow } from '../store/events.ts'
import { selectUser } from '../store/users.ts'
import { retry } from './retry.ts'
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
 * The user's next events. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function listEvents(
  owner: SlotOwner,
  { cursor = LATEST, provider, from = '', to = LATEST, limit }: EventQuery,
): Promise<EventPage> {
  const { db, settings } = owner.service
  const slot = provider === undefined ? null : namesOf(settings, findSlot(settings, provider))
  const statements = [
    selectUser(owner.userId),
    // One more than the page has tells whether another page follows.
    selectEvents(owner.userId, { before: cursor < to ? cursor : to, from, slot, limit: limit + 1 }),
  ] as const
  const [user, read] = await retry(async (ms) => runBatch(db, statements, ms))
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
