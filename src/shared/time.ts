/** Times in requests: ISO 8601. */

import * as z from 'zod/mini'
import { _isoDateTime } from 'zod/v4/core'

/** `z.iso.datetime`, without the other formats of `z.iso`: a bundler takes such a namespace as a whole. */
export function isoTime(params: Parameters<typeof z.iso.datetime>[0]): z.ZodMiniISODateTime {
  return _isoDateTime(z.ZodMiniISODateTime, params)
}

/** A time with a time zone, as UTC in milliseconds. */
function utcTime(fault: string) {
  return z.pipe(
    isoTime({ offset: true, error: fault }),
    z.transform((text) => new Date(text).toISOString()),
  )
}

/** D1 compares times as text. One after the year 9999 or before the year 0 begins with a sign, and D1 would take it for the past. */
const hasSign = (time: string) => /^\D/.test(time)
const isFuture = (time: string) => !hasSign(time) && Date.parse(time) > Date.now()
const isPast = (time: string) => !hasSign(time) && Date.parse(time) <= Date.now()

const FUTURE = 'expires_at must be a time in the future, such as 2027-01-31T12:00:00Z, or null.'
const PAST = 'tokens_since must be a time that has passed, such as 2026-11-25T12:00:00Z.'

/** When a key expires: a time with a time zone, as UTC in milliseconds. */
export const expiresAt = utcTime(FUTURE).check(z.refine(isFuture, FUTURE))

/** Which tokens count for a team: those from this time on. */
export const tokensSince = utcTime(PAST).check(z.refine(isPast, PAST))
