/** Sends the events that an application acts on to its queue. The trail is the record: it has them in any case. */

import { eventAnswer } from '../answers.ts'
import { errorFields, log } from '../log.ts'
import type { Service } from '../service.ts'
import { inTime } from '../shared/deadline.ts'
import type { EventMessage } from '../shared/answers.ts'
import type { EventKind } from '../shared/event-kind.ts'
import type { WrittenEvent } from '../store/events.ts'

/** The kinds of events that go to the queue. */
export const PUBLISHED: readonly EventKind[] = [
  'rejected_on_save',
  'rejected_in_use',
  'expired',
  'limit_reached',
  'deleted',
  'unreadable',
]
const published = new Set<unknown>(PUBLISHED)

/** The answer waits for the queue, so this is short. */
const DEADLINE_MS = 2_000
/** A queue takes 256 KB at once, and a user id may have 2,000 characters. */
const SENT_AT_ONCE = 25

/**
 * Sends the published events among the rows that were just written. If the queue fails or hangs, it logs their
 * ids. It never throws.
 */
export async function publishEvents(
  { settings: { eventsQueue } }: Service,
  written: readonly { results: readonly object[] }[],
): Promise<void> {
  if (eventsQueue === null) return
  const events = written.flatMap(({ results }) => results.filter(isPublished))
  const count = Math.ceil(events.length / SENT_AT_ONCE)
  const batches = Array.from({ length: count }, (_, index) =>
    events.slice(index * SENT_AT_ONCE, (index + 1) * SENT_AT_ONCE),
  )
  await Promise.all(batches.map(async (batch) => send(eventsQueue, batch)))
}

function isPublished(row: object): row is WrittenEvent {
  return 'event' in row && published.has(row.event)
}

async function send(queue: Queue, events: readonly WrittenEvent[]): Promise<void> {
  const messages = events.map((event) => ({ body: toMessage(event), contentType: 'json' as const }))
  try {
    await inTime(queue.sendBatch(messages), DEADLINE_MS)
  } catch (error) {
    const ids = events.map(({ userId: user_id, id }) => ({ user_id, id }))
    log('error', 'event_not_queued', { events: ids, error: errorFields(error) })
  }
}

function toMessage(event: WrittenEvent): EventMessage {
  return { user_id: event.userId, ...eventAnswer(event) }
}
