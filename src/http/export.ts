/** Answers with events of a user as NDJSON: one JSON object on each line. */

import type { Context } from 'hono'
import { errorFields, log } from '../log.ts'
import { describeEvent, type EventRow } from '../store/events.ts'

/**
 * Streams the pages as they come. If they return a cursor, the last line has it. If a later page cannot be read, the body breaks off, and the client's
 * request fails.
 *
 * @throws as the first page
 */
export async function exportAnswer(
  c: Context,
  pages: AsyncGenerator<EventRow[], string | null>,
): Promise<Response> {
  let page = await pages.next()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (page.done === true) {
        const next_cursor = page.value
        if (next_cursor !== null) controller.enqueue(encodeLines([{ next_cursor }]))
        return controller.close()
      }
      controller.enqueue(encodeLines(page.value.map(describeEvent)))
      page = await pages.next().catch((error: unknown) => {
        log('error', 'export_broken_off', { error: errorFields(error) })
        throw error
      })
    },
    cancel: async () => void (await pages.return(null)),
  })
  return c.body(body, 200, {
    'Content-Type': 'application/x-ndjson',
    'Content-Disposition': 'attachment; filename="api-key-events.ndjson"',
  })
}

const encoder = new TextEncoder()

function encodeLines(values: readonly object[]): Uint8Array {
  return encoder.encode(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
}
