/** Reads the trail of a slot: what happened to its keys. All functions here throw a Problem. */

import type { EventAnswer, EventsAnswer } from '../../shared/answers.ts'
import { request, type Call } from './vault-client.ts'

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
