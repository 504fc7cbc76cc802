/** The JSON bodies that routes take. Their errors say exactly what is wrong, and quote no character of a key. */

import type { HonoRequest } from 'hono'
import { _safeParse } from 'zod/v4/core'
import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { CALLER_NAME } from '../shared/caller.ts'
import { expiresAt, tokensSince } from '../shared/time.ts'
import { isJsonObject, isWhole } from '../shared/json.ts'
import { MAX_KEYS } from '../shared/slot.ts'
import { findKeyFault, nameKeyFault, type KeyReason } from '../shared/key-text.ts'
import type { Bodies } from '../shared/routes.ts'
import { isNamable, nameType, readJson } from './json-body.ts'

const apiKey = z
  .string({ error: ({ input }) => `api_key is ${nameType(input)}, not a string.` })
  .check(z.trim(), ({ value, issues }) => {
    const message = nameKeyFault(value, 'api_key')
    if (message !== null) issues.push({ code: 'custom', message, input: value })
  })

const keyBody = z.object({ api_key: apiKey, expires_at: z.nullish(expiresAt) })

const slotBody = z.object({
  api_key: apiKey,
  expires_at: z.nullish(expiresAt),
  base_url: z.optional(
    z.string({ error: ({ input }) => `base_url is ${nameType(input)}, not a string.` }),
  ),
})

const MAX_CALLERS = 50
export const MAX_USES = 1_000_000_000

const CALLERS = `callers must be null or a list of at most ${MAX_CALLERS} names, each of the form binding:NAME or relay:NAME.`

function useCount(name: string) {
  const fault = `${name}.count must be a whole number from 0 to ${MAX_USES}.`
  return z.custom<number>((count) => isWhole(count, 0, MAX_USES), fault)
}

/** Whole numbers from 0 to `MAX_USES`. The OpenAPI document cannot see that in these schemas. `z.int` would weigh more. */
export const useCounts = {
  max_uses: useCount('max_uses'),
  max_uses_per_member: useCount('max_uses_per_member'),
}

const maximum = (name: keyof typeof useCounts) =>
  z.strictObject(
    {
      count: useCounts[name],
      per: z.enum(['day', 'month'], `${name}.per must be "day" or "month".`),
    },
    `${name} must be null, or {"count": 100, "per": "day"}.`,
  )

const caller = z.string(CALLERS).check(z.regex(CALLER_NAME, CALLERS))

const FIELDS =
  'Send label, position or both, or one or more of paused, callers, max_uses, max_uses_per_member and expires_at, and no other field.'

const POSITION = `position must be a whole number from 0 to ${MAX_KEYS - 1}.`
/** As with the counts, the OpenAPI document cannot see its range. */
export const place = z.custom<number>((position) => isWhole(position, 0, MAX_KEYS - 1), POSITION)

/** The fields for what a key is called and where it is. They do not change together with its limits. */
const ARRANGING: ReadonlySet<string> = new Set(['label', 'position'])

function isOneChange(body: object): boolean {
  const fields = Object.entries(body).flatMap(([name, value]) =>
    value === undefined ? [] : [name],
  )
  const arranging = fields.filter((name) => ARRANGING.has(name))
  return fields.length > 0 && [0, fields.length].includes(arranging.length)
}

const limitsBody = z
  .strictObject(
    {
      paused: z.optional(z.boolean('paused must be true or false.')),
      callers: z.nullish(z.array(caller, CALLERS).check(z.maxLength(MAX_CALLERS, CALLERS))),
      max_uses: z.nullish(maximum('max_uses')),
      max_uses_per_member: z.nullish(maximum('max_uses_per_member')),
      expires_at: z.nullish(expiresAt),
      label: z.nullish(z.string('label must be a string or null.')),
      position: z.optional(place),
    },
    FIELDS,
  )
  .check(z.refine(isOneChange, FIELDS))

const TEAM = 'Send own_keys, tokens_since or both, and no other field.'

const teamBody = z
  .strictObject(
    {
      own_keys: z.optional(z.boolean('own_keys must be true or false.')),
      tokens_since: z.optional(tokensSince),
    },
    TEAM,
  )
  .check(z.refine((body) => Object.values(body).some((value) => value !== undefined), TEAM))

/** What each body has to be. */
export const bodySchemas = {
  KeyBody: keyBody,
  SlotBody: slotBody,
  LimitsBody: limitsBody,
  TeamBody: teamBody,
} satisfies { [Name in keyof Bodies]?: z.ZodMiniType<Bodies[Name], Bodies[Name]> }

const readers: { [Name in keyof Bodies]: (request: HonoRequest) => Promise<Bodies[Name]> } = {
  None: async () => undefined,
  KeyBody: async (request) => requireValid(keyBody, await readJson(request), refuseKey),
  SlotBody: async (request) => requireValid(slotBody, await readJson(request), refuseKey),
  LimitsBody: async (request) => requireValid(limitsBody, await readJson(request), refuseLimits),
  TeamBody: async (request) => requireValid(teamBody, await readJson(request), refuseTeam),
}

/**
 * Reads the body `name`, and trims the key in it. A body over 16 KiB is a 413, one that comes too slowly is a 408, and any
 * other fault is a 400.
 */
export async function readBody<Name extends keyof Bodies>(
  name: Name,
  request: HonoRequest,
): Promise<Bodies[Name]> {
  return readers[name](request)
}

/** Makes the refusal of `value`. */
type Refuse = (issue: z.core.$ZodIssue | undefined, value: unknown) => VaultError

/** Only the issues. zod's own error takes 15 µs more. */
class Issues implements z.core.$ZodError {
  readonly name = 'Issues'
  readonly message = ''
  declare readonly type: unknown
  declare readonly _zod: z.core.$ZodError['_zod']
  readonly issues: z.core.$ZodIssue[]

  constructor(issues: z.core.$ZodIssue[]) {
    this.issues = issues
  }
}

const parse = _safeParse(Issues)

/** What `schema` makes of `value`. @throws VaultError as `refuse` makes it */
export function requireValid<T>(schema: z.ZodMiniType<T>, value: unknown, refuse: Refuse): T {
  const parsed = parse(schema, value)
  if (parsed.success) return parsed.data
  throw refuse(parsed.error.issues[0], value)
}

/** The code of a fault in another field than `api_key`. */
const CODES: Partial<Record<string, 'base_url_invalid' | 'expires_at_invalid'>> = {
  base_url: 'base_url_invalid',
  expires_at: 'expires_at_invalid',
}

function refuseKey(issue: z.core.$ZodIssue | undefined, body: unknown): VaultError {
  if (isJsonObject(body) && Object.hasOwn(body, 'api_key')) {
    const code = CODES[String(issue?.path[0])] ?? 'api_key_invalid'
    const why = code === 'api_key_invalid' ? reasonFor(body['api_key']) : {}
    return new VaultError(code, { ...why, detail: issue?.message })
  }
  const came = isJsonObject(body) ? nameFields(Object.keys(body)) : `The body is ${nameType(body)}.`
  return new VaultError('api_key_missing', { detail: `${came} Send {"api_key": "…"}.` })
}

const LIMIT_CODES: Partial<Record<string, 'expires_at_invalid' | 'label_invalid'>> = {
  expires_at: 'expires_at_invalid',
  label: 'label_invalid',
}

function refuseLimits(issue: z.core.$ZodIssue | undefined): VaultError {
  const code = LIMIT_CODES[String(issue?.path[0])] ?? 'limits_invalid'
  return new VaultError(code, { detail: issue?.message })
}

function refuseTeam(issue: z.core.$ZodIssue | undefined): VaultError {
  return new VaultError('team_settings_invalid', { detail: issue?.message })
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
