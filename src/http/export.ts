/** Answers with all events of a user as NDJSON: one JSON object on each line. */

import type { Context } from 'hono'
import { eventAnswer } from '../answers.ts'
import { errorFields, log } from '../log.ts'
import type { EventRow } from '../store/events.ts'

/**
 * Streams the pages as they come. If a later page cannot be read, the body breaks off, and the client's
 * request fails.
 *
 * @throws as the first page
 */
export async function exportAnswer(
  c: Context,
  pages: AsyncGenerator<EventRow[], void>,
): Promise<Response> {
  const encoder = new TextEncoder()
  let page = await pages.next()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (page.done === true) return controller.close()
      const lines = page.value.map((event) => `${JSON.stringify(eventAnswer(event))}\n`)
      controller.enqueue(encoder.encode(lines.join('')))
      page = await pages.next().catch((error: unknown) => {
        log('error', 'export_broken_off', { error: errorFields(error) })
        throw error
      })
    },
    cancel: async () => void (await pages.return()),
  })
  return c.body(body, 200, {
    'Content-Type': 'application/x-ndjson',
    'Content-Disposition': 'attachment; filename="api-key-events.ndjson"',
  })
}
