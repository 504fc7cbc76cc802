/** Sends the events that an application acts on to its queue. The trail is the record: it has them in any case. */

import { errorFields, log } from '../log.ts'
import type { Service } from '../service.ts'
import { inTime } from '../shared/deadline.ts'
import type { EventMessage } from '../shared/answers.ts'
import type { EventKind } from '../shared/event-kind.ts'
import { ownerId } from '../shared/owner.ts'
import { describeEvent, type WrittenEvent } from '../store/events.ts'

/** The kinds of events that go to the queue. */
export const PUBLISHED: readonly EventKind[] = [
  'rejected_on_save',
  'rejected_in_use',
  'out_of_credit',
  'in_credit',
  'rechecked',
  'expired',
  'limit_reached',
  'deleted',
  'unreadable',
]
const published = new Set<unknown>(PUBLISHED)

/** The time that the queue has for a batch. The answer waits for it, so this is short. */
const DEADLINE_MS = 2_000
/** The events of a batch. A queue takes 256 KB at once, and an owner's id may have 2,000 characters. */
const BATCH_SIZE = 25
/** A Worker has six connections at once. A batch that waits for one must not use up its time. */
const BATCHES_AT_ONCE = 4

/**
 * Sends the published events among the rows that were just written, a few batches at a time. If the queue fails or
 * hangs, it logs the ids of the batch. It never throws.
 */
export async function publishEvents(
  { settings: { eventsQueue } }: Service,
  written: readonly { results: readonly object[] }[],
): Promise<void> {
  if (eventsQueue === null) return
  const events = written.flatMap(({ results }) => results.filter(isPublished))
  const count = Math.ceil(events.length / BATCH_SIZE)
  const batches = Array.from({ length: count }, (_, index) =>
    events.slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE),
  )
  // The senders take from one iterator, so each batch is sent once.
  const left = batches.values()
  const sendLeft = async () => {
    // oxlint-disable-next-line no-await-in-loop -- a sender has one batch under way
    for (const batch of left) await send(eventsQueue, batch)
  }
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, sendLeft))
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
  return { ...ownerId(event.userId), ...describeEvent(event) }
}
