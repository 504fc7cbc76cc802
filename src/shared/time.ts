/** Times in requests: ISO 8601. */

import * as z from 'zod/mini'
import { _isoDateTime } from 'zod/v4/core'

/** `z.iso.datetime`, without the other formats of `z.iso`: a bundler takes such a namespace as a whole. */
export function isoTime(params: Parameters<typeof z.iso.datetime>[0]): z.ZodMiniISODateTime {
  return _isoDateTime(z.ZodMiniISODateTime, params)
}

const FUTURE = 'expires_at must be a time in the future, such as 2027-01-31T12:00:00Z, or null.'

/** D1 compares times as text. One after the year 9999 begins with a plus sign, and D1 would take it for the past. */
const isFuture = (time: string) => !time.startsWith('+') && Date.parse(time) > Date.now()

/** A time that has passed, with a time zone, as UTC in milliseconds. */
export function pastTime(fault: string) {
  const isPast = (time: string) => /^\d/.test(time) && Date.parse(time) <= Date.now()
  return z
    .pipe(
      isoTime({ offset: true, error: fault }),
      z.transform((text) => new Date(text).toISOString()),
    )
    .check(z.refine(isPast, fault))
}

/** When a key expires: a time with a time zone, as UTC in milliseconds. */
export const expiresAt = z
  .pipe(
    isoTime({ offset: true, error: FUTURE }),
    z.transform((text) => new Date(text).toISOString()),
  )
  .check(z.refine(isFuture, FUTURE))
