/** Reads the trail of a slot: what happened to its keys. All functions here throw a Problem. */

import type { EventAnswer } from '../../shared/answers.ts'
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
  const path = `/api-key-events?${new URLSearchParams(query)}` as const
  const { events, next_cursor: next } = await request<'listEvents'>(call, path, { method: 'GET' })
  return { events, next }
}

/** Fetches all events of the slot as a file: one JSON object on each line. */
export async function fetchExport(call: Call, slot: string): Promise<Blob> {
  const parts: string[] = []
  let cursor: string | null = ''
  while (cursor !== null) {
    const query = { provider: slot, format: 'ndjson', ...(cursor && { cursor }) }
    // oxlint-disable-next-line no-await-in-loop -- each part begins where the last one ended
    const { lines, next } = await fetchPart(call, new URLSearchParams(query))
    parts.push(lines)
    cursor = next
  }
  return new Blob(parts)
}

/** Fetches a part of an export. If another part follows, its last line is the cursor of that. */
async function fetchPart(call: Call, query: URLSearchParams) {
  const response = await send<'listEvents'>(call, `/api-key-events?${query}`, { method: 'GET' })
  const text = await response.text().catch(() => {
    throw new Problem(nameSilence(call.signal))
  })
  // An event begins with its id, and quotes in a text are escaped.
  const end = text.lastIndexOf('{"next_cursor":')
  if (end < 0) return { lines: text, next: null }
  const { next_cursor: next }: { next_cursor: string } = JSON.parse(text.slice(end))
  return { lines: text.slice(0, end), next }
}
