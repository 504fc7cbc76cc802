/** The query of the trail: which events, and in which form. */

import * as z from 'zod/mini'
import { DEFAULT_EVENTS, MAX_EVENTS, type EventQuery } from '../keys/trail.ts'
import { isoTime, requireValid } from './validate.ts'
import { refuseQuery } from './verify-query.ts'

const CURSOR = '"cursor" must be the next_cursor of the previous page.'
const time = (name: string) =>
  isoTime(`"${name}" must be a time in UTC, such as 2026-11-25T12:00:00Z.`)
const LIMIT = `"limit" must be a number from 1 to ${MAX_EVENTS}.`

export const eventsQuery = z.object({
  provider: z.optional(z.string()),
  cursor: z.optional(
    z.string(CURSOR).check(z.regex(/^\d{4}-\d\d-\d\dT/, CURSOR), z.maxLength(1_000, CURSOR)),
  ),
  from: z.optional(time('from')),
  to: z.optional(time('to')),
  limit: z.optional(
    z
      .string(LIMIT)
      .check(z.refine((text) => /^[1-9]\d{0,2}$/.test(text) && Number(text) <= MAX_EVENTS, LIMIT)),
  ),
  format: z.optional(z.enum(['json', 'ndjson'], '"format" must be json or ndjson.')),
})

export type AskedEvents = z.output<typeof eventsQuery>

/** 400 for a value that the route does not know. */
export const requireEventsQuery = requireValid('query', eventsQuery, refuseQuery)

/** What the query asks for. */
export function readEventsQuery({ limit, from, to, ...asked }: AskedEvents): EventQuery {
  return {
    cursor: asked.cursor,
    provider: asked.provider,
    from: from === undefined ? undefined : new Date(from).toISOString(),
    to: to === undefined ? undefined : new Date(to).toISOString(),
    limit: Number(limit ?? DEFAULT_EVENTS),
  }
}
