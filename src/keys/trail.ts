/** The trail: what happened to an owner's keys, for the owner and for nobody else. A member of a team sees what they did. */

import type { EventAnswer } from '../shared/answers.ts'
import type { BatchResults } from '../store/d1.ts'
import { describeEvent, LATEST, selectEvents, type EventRow } from '../store/events.ts'
import { selectUser } from '../store/users.ts'
import { ALL_SLOTS, look } from './look.ts'
import { runOwned } from './owned.ts'
import { retry } from './retry.ts'
import { findSlot, namesOf, nameSlot } from './slot-name.ts'
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
  /** A provider or a slot, whose events include looks at all slots; every event, if it is missing. */
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
  return pageOf(owner, query, (statements) => look(owner, slotOf(owner, query), statements))
}

/** As {@link listEvents}, without a note. */
async function readEvents(owner: SlotOwner, query: EventQuery): Promise<EventPage> {
  return pageOf(owner, query, (statements) => retry(async (ms) => runOwned(owner, statements, ms)))
}

type PageStatements = ReturnType<typeof selectPage>

async function pageOf(
  owner: SlotOwner,
  query: EventQuery,
  read: (statements: PageStatements) => Promise<BatchResults<PageStatements>>,
): Promise<EventPage> {
  const [user, events] = await read(selectPage(owner, query))
  if (user.results.length === 0) requireAnyUser(owner)
  return toPage(events.results, query.limit)
}

/** The slot that the query names, for the trail. A name that is not known may be a misplaced key. */
function slotOf({ service }: SlotOwner, { provider }: EventQuery): string {
  return (provider === undefined ? null : nameSlot(service.settings, provider)) ?? ALL_SLOTS
}

function selectPage(
  { userId, member, isAdmin, service: { settings } }: SlotOwner,
  { cursor = LATEST, provider, from = '', to = LATEST, limit }: EventQuery,
) {
  const names = provider === undefined ? null : namesOf(settings, findSlot(settings, provider))
  // A look at all slots is one at this slot too.
  const slot = names === null ? null : [...names, ALL_SLOTS]
  const before = cursor < to ? cursor : to
  const own = isAdmin === true ? null : (member ?? null)
  return [
    selectUser(userId),
    // One more than the page has tells whether another page follows.
    selectEvents(userId, { before, from, slot, member: own, limit: limit + 1 }),
  ] as const
}

/** Makes a page of at most `limit` rows. A further row tells that another page follows. */
export function toPage(rows: readonly EventRow[], limit: number): EventPage {
  const events = rows.slice(0, limit)
  const last = rows.length > limit ? events.at(-1) : undefined
  return { events, next: last?.id ?? null }
}

/** The lines of a page, each a JSON object. */
export interface Lines<Line extends object> {
  lines: Line[]
  /** The cursor of the next page; null at the end. */
  next: string | null
}

/**
 * Reads one page after the other, from the cursor `start` on, until `most` events are read. It returns the cursor of the
 * next one; null at the end.
 *
 * @throws as `readPage`
 */
export async function* inPages<Line extends object>(
  readPage: (before: string, limit: number) => Promise<Lines<Line>>,
  start: string,
  most: number,
): AsyncGenerator<Line[], string | null> {
  let cursor = start
  for (let read = 0; read < most; read += EXPORTED_AT_ONCE) {
    // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
    const { lines, next } = await readPage(cursor, EXPORTED_AT_ONCE)
    yield lines
    if (next === null) return null
    cursor = next
  }
  return cursor
}

/**
 * At most {@link MAX_EXPORTED} events of the user, a page after the other. If there are more, the last line has the
 * cursor of the next export. `limit` does not count here. The look of an operator is noted with the first page.
 *
 * @throws as {@link listEvents}
 */
export async function* exportEvents(
  owner: SlotOwner,
  query: EventQuery,
): AsyncGenerator<(EventAnswer | { next_cursor: string })[]> {
  const start = query.cursor ?? LATEST
  const readPage = async (cursor: string, limit: number) => {
    const page = { ...query, cursor, limit }
    const isFirst = cursor === start
    const { events, next } = await (isFirst ? listEvents(owner, page) : readEvents(owner, page))
    return { lines: events.map(describeEvent), next }
  }
  const next = yield* inPages(readPage, start, MAX_EXPORTED)
  if (next !== null) yield [{ next_cursor: next }]
}
