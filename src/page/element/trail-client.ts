/** Reads the trail of a slot: what happened to its keys. All functions here throw a Problem. */

import type { EventAnswer, EventsAnswer } from '../../shared/answers.ts'
import { Problem } from './problem.ts'
import { nameSilence, request, send, type Call } from './vault-client.ts'

/** The most that the service returns at once. */
const EVENTS_AT_ONCE = 200

/** Fetches the slot's events before `cursor`, or the newest ones without it. */
export async function fetchEvents(
  call: Call,
  slot: string,
  cursor = '',
): Promise<{ events: EventAnswer[]; next: string | null }> {
  const query = { provider: slot, limit: `${EVENTS_AT_ONCE}`, ...(cursor && { cursor }) }
  const { events, next_cursor: next }: EventsAnswer = await request(
    call,
    `/api-key-events?${new URLSearchParams(query)}`,
  )
  return { events, next }
}

/** Fetches all events of the slot as a file: one JSON object on each line. */
export async function fetchExport(call: Call, slot: string): Promise<Blob> {
  const query = new URLSearchParams({ provider: slot, format: 'ndjson' })
  const response = await send(call, `/api-key-events?${query}`)
  return response.blob().catch(() => {
    throw new Problem(nameSilence(call.signal))
  })
}
