/** The parameters of a request: its query, and its preconditions (RFC 9110 §13.1), with which a client changes only what it has seen. */

import type { HonoRequest, Context } from 'hono'
import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { DEFAULT_EVENTS, MAX_EVENTS, type EventQuery } from '../keys/trail.ts'
import { MAX_USERS } from '../keys/users.ts'
import type { Queries } from '../shared/routes.ts'
import { isoTime } from '../shared/time.ts'
import { requireValid } from './bodies.ts'
import type { Condition } from '../store/slot-check.ts'

/**
 * Refuses a path that is not percent-encoded UTF-8. The router would leave its bytes as they are, and a server would add
 * `%E9` for a user whom it calls `é`.
 *
 * @throws VaultError `invalid_argument`
 */
export function requireEncoded({ url }: HonoRequest): void {
  try {
    decodeURIComponent(new URL(url).pathname)
  } catch {
    throw new VaultError('invalid_argument', { detail: 'The path is not percent-encoded UTF-8.' })
  }
}

const verifyQuery = z.object({
  verify: z.optional(z.enum(['true', 'false'], '"verify" must be true or false.')),
})

const CURSOR = '"cursor" must be the next_cursor of the previous page.'
const time = (name: string) =>
  isoTime(`"${name}" must be a time in UTC, such as 2026-11-25T12:00:00Z.`)
function limitTo(most: number) {
  const fault = `"limit" must be a number from 1 to ${most}.`
  const isLimit = (text: string) => /^[1-9]\d{0,2}$/.test(text) && Number(text) <= most
  return z.string(fault).check(z.refine(isLimit, fault))
}

const cursor = z.optional(
  z.string(CURSOR).check(z.regex(/^\d{4}-\d\d-\d\dT/, CURSOR), z.maxLength(1_000, CURSOR)),
)

const eventsQuery = z.object({
  provider: z.optional(z.string()),
  cursor,
  from: z.optional(time('from')),
  to: z.optional(time('to')),
  limit: z.optional(limitTo(MAX_EVENTS)),
  format: z.optional(z.enum(['json', 'ndjson'], '"format" must be json or ndjson.')),
})

const usersQuery = z.object({
  cursor: z.optional(z.string().check(z.maxLength(2_000, CURSOR))),
  limit: z.optional(limitTo(MAX_USERS)),
})

const exportQuery = z.object({ cursor })

/** What each query has to be. */
export const querySchemas = {
  Verify: verifyQuery,
  Events: eventsQuery,
  Users: usersQuery,
  Export: exportQuery,
} satisfies { [Name in keyof Queries]?: z.ZodMiniType<Queries[Name], Queries[Name]> }

const readers: { [Name in keyof Queries]: (request: HonoRequest) => Queries[Name] } = {
  None: () => undefined,
  Verify: (request) => requireValid(verifyQuery, parametersOf(request), refuseQuery),
  Events: (request) => requireValid(eventsQuery, parametersOf(request), refuseQuery),
  Users: (request) => requireValid(usersQuery, parametersOf(request), refuseQuery),
  Export: (request) => requireValid(exportQuery, parametersOf(request), refuseQuery),
}

/** Reads the query `name`. 400 for a value that the route does not know. */
export function readQuery<Name extends keyof Queries>(
  name: Name,
  request: HonoRequest,
): Queries[Name] {
  return readers[name](request)
}

/** A parameter that is given several times is an array, so that a schema refuses it. */
function parametersOf(request: HonoRequest): Record<string, unknown> {
  const parameters = Object.entries(request.queries())
  return Object.fromEntries(
    parameters.map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}

function refuseQuery(issue?: z.core.$ZodIssue): VaultError {
  return new VaultError('invalid_query', { detail: issue?.message })
}

/** Whether the vault checks the key with its provider first. Undefined if the query leaves it to the configuration. */
export function isAsked({ verify }: Queries['Verify']): boolean | undefined {
  return verify === undefined ? undefined : verify === 'true'
}

/** Which events the query asks for. */
export function rangeOf({ limit, from, to, ...asked }: Queries['Events']): EventQuery {
  return {
    cursor: asked.cursor,
    provider: asked.provider,
    from: from === undefined ? undefined : new Date(from).toISOString(),
    to: to === undefined ? undefined : new Date(to).toISOString(),
    limit: Number(limit ?? DEFAULT_EVENTS),
  }
}

/**
 * What the request asks of the slot; null if nothing. An `If-None-Match` with tags asks nothing of a change.
 *
 * @throws VaultError `invalid_precondition`
 */
export function readPrecondition({ req }: Context): Condition | null {
  const match = req.header('If-Match')
  if (match === '*') return { kind: 'present' }
  if (match !== undefined) return { kind: 'tagged', tags: readTags(match) }
  return req.header('If-None-Match') === '*' ? { kind: 'empty' } : null
}

/** A proxy that compresses answers makes their tags weak. That changes nothing of the key. */
const TAG = String.raw`(?:W/)?"[^"]*"`
const TAGS = new RegExp(String.raw`^${TAG}(?:\s*,\s*${TAG})*$`)

function readTags(list: string): string[] {
  if (TAGS.test(list)) return Array.from(list.matchAll(/"([^"]*)"/g), ([, tag = '']) => tag)
  const detail = 'If-Match must be * or a list of entity tags, such as "0123abcd.1".'
  throw new VaultError('invalid_precondition', { detail })
}
