/** The body of a PUT. Its errors say exactly what is wrong, and quote no character of the key. */

import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { isJsonObject } from '../shared/json.ts'
import { findKeyFault, nameKeyFault, type KeyReason } from '../shared/key-text.ts'
import { isNamable, nameType } from './json-body.ts'
import { isoTime, requireValid } from './validate.ts'

const apiKey = z
  .string({ error: ({ input }) => `api_key is ${nameType(input)}, not a string.` })
  .check(z.trim(), ({ value, issues }) => {
    const message = nameKeyFault(value, 'api_key')
    if (message !== null) issues.push({ code: 'custom', message, input: value })
  })

const FUTURE = 'expires_at must be a time in the future, such as 2027-01-31T12:00:00Z, or null.'

/** D1 compares times as text. One after the year 9999 begins with a plus sign, and D1 would take it for the past. */
const isFuture = (time: string) => !time.startsWith('+') && Date.parse(time) > Date.now()

/** ISO 8601 with a time zone, as UTC in milliseconds. */
export const expiresAt = z
  .pipe(
    isoTime({ offset: true, error: FUTURE }),
    z.transform((text) => new Date(text).toISOString()),
  )
  .check(z.refine(isFuture, FUTURE))

export const keyBody = z.object({ api_key: apiKey, expires_at: z.nullish(expiresAt) })

export const slotBody = z.object({
  api_key: apiKey,
  expires_at: z.nullish(expiresAt),
  base_url: z.optional(
    z.string({ error: ({ input }) => `base_url is ${nameType(input)}, not a string.` }),
  ),
})

/**
 * Requires the JSON body `{"api_key": <a key>}`, and trims the key. A body over 16 KiB is a 413, one that comes
 * too slowly is a 408, and any other fault is a 400.
 */
export const requireKey = requireValid('json', keyBody, refuseBody)

/** Like {@link requireKey}, with an optional `base_url` beside the key. */
export const requireSlotKey = requireValid('json', slotBody, refuseBody)

/** The code of a fault in another field than `api_key`. */
const CODES: Partial<Record<string, 'base_url_invalid' | 'expires_at_invalid'>> = {
  base_url: 'base_url_invalid',
  expires_at: 'expires_at_invalid',
}

function refuseBody(issue: z.core.$ZodIssue | undefined, body: unknown): VaultError {
  if (isJsonObject(body) && Object.hasOwn(body, 'api_key')) {
    const code = CODES[String(issue?.path[0])] ?? 'api_key_invalid'
    const why = code === 'api_key_invalid' ? reasonFor(body['api_key']) : {}
    return new VaultError(code, { ...why, detail: issue?.message })
  }
  const came = isJsonObject(body) ? nameFields(Object.keys(body)) : `The body is ${nameType(body)}.`
  return new VaultError('api_key_missing', { detail: `${came} Send {"api_key": "…"}.` })
}

function reasonFor(value: unknown): { reason?: KeyReason; index?: number } {
  return typeof value === 'string' ? (findKeyFault(value.trim()) ?? {}) : { reason: 'not_a_string' }
}

function nameFields(fields: string[]): string {
  const named = fields.filter(isNamable).slice(0, 10)
  const others = fields.length - named.length
  const parts = named.map((field) => `"${field}"`)
  if (others > 0) parts.push(`${others} more`)
  return parts.length > 0 ? `Fields received: ${parts.join(', ')}.` : 'The body is {}.'
}
