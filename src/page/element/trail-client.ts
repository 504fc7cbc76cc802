/** Reads the trail of a slot: what happened to its keys. All functions here throw a Problem. */

import { request, type Call } from '../../callers/browser/exchange.ts'
import { fetchTrail, search } from '../../callers/browser/trail.ts'
import type { EventAnswer } from '../../shared/answers.ts'

/** The most that the service returns at once. */
const EVENTS_AT_ONCE = 200

/** Fetches the slot's events before `cursor`, or the newest ones without it. */
export async function fetchEvents(
  call: Call,
  provider: string,
  cursor = '',
): Promise<{ events: EventAnswer[]; next: string | null }> {
  const path = `/api-key-events${search({ provider, limit: EVENTS_AT_ONCE, cursor })}` as const
  const { events, next_cursor: next } = await request<'listEvents'>(call, path, { method: 'GET' })
  return { events, next }
}

/** Fetches all events of the slot as a file: one JSON object on each line. */
export async function fetchExport(call: Call, provider: string): Promise<Blob> {
  return fetchTrail(async (work) => work(call), { provider })
}
