/** The query of the trail: which events, and in which form. */

import { zValidator } from '@hono/zod-validator'
import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { DEFAULT_EVENTS, MAX_EVENTS, type EventQuery } from '../keys/trail.ts'

const CURSOR = '"cursor" must be the next_cursor of the previous page.'
const LIMIT = `"limit" must be a number from 1 to ${MAX_EVENTS}.`

export const eventsQuery = z.object({
  provider: z.optional(z.string()).check(z.describe('The name of a slot: only its events.')),
  cursor: z
    .optional(
      z.string(CURSOR).check(z.regex(/^\d{4}-\d\d-\d\dT/, CURSOR), z.maxLength(1_000, CURSOR)),
    )
    .check(z.describe('The `next_cursor` of the previous page.')),
  limit: z
    .optional(
      z
        .string(LIMIT)
        .check(
          z.refine((text) => /^[1-9]\d{0,2}$/.test(text) && Number(text) <= MAX_EVENTS, LIMIT),
        ),
    )
    .check(
      z.describe(`The events of a page, at most ${MAX_EVENTS}; by default ${DEFAULT_EVENTS}.`),
    ),
  format: z
    .optional(z.enum(['json', 'ndjson'], '"format" must be json or ndjson.'))
    .check(z.describe('`ndjson` answers with all events, one on each line.')),
})

export type AskedEvents = z.output<typeof eventsQuery>

/** 400 for a value that the route does not know. */
export const requireEventsQuery = zValidator('query', eventsQuery, (result) => {
  if (result.success) return
  const [issue] = result.error.issues
  throw new VaultError('invalid_query', issue === undefined ? {} : { detail: issue.message })
})

/** What the query asks for. */
export function readEventsQuery({
  limit,
  cursor,
  provider,
}: z.output<typeof eventsQuery>): EventQuery {
  return { cursor, provider, limit: Number(limit ?? DEFAULT_EVENTS) }
}
