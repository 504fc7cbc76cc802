/**
 * The lines that the vault logs, as schemas: {@link log} takes only these, and `npm run log-lines -- write` describes them.
 * The Worker imports only the types.
 */

import * as z from 'zod/mini'
import { errorCode, verdict } from './shared/answers.ts'

const loggedError = z.strictObject({
  message: z.string(),
  name: z.optional(z.string()),
  stack: z.optional(z.string()),
  get cause() {
    return z.optional(loggedError)
  },
})
z.globalRegistry.add(loggedError, { id: 'Error' })
const code = errorCode.check(z.meta({ id: 'Code' }))

/** An event: the levels that its lines have, and their other fields. */
function line<const Level extends 'info' | 'warn' | 'error', Fields extends z.core.$ZodShape>(
  levels: readonly Level[],
  fields: Fields,
) {
  return { levels, fields: z.strictObject(fields) }
}

const text = z.string()
const count = z.int().check(z.nonnegative())
const owner = text.check(
  z.describe('The owner of the key: a user id, or `team:` and the id of a team.'),
)
const client = z
  .nullable(text)
  .check(
    z.describe('`relay:NAME`, or `server:NAME` of a server. Null if the token names no client.'),
  )
const requestId = z.optional(text.check(z.describe('Left out if no request caused it.')))
const providerStatus = z
  .optional(z.int())
  .check(z.describe('What the provider answered. Left out if the vault has no answer of it.'))
const used = {
  key_source: z
    .optional(z.nullable(text))
    .check(
      z.describe('Whose key was used: `own` or `team`. Left out if the provider did not answer.'),
    ),
  condition: z
    .optional(z.nullable(text))
    .check(z.describe('`out_of_credit` if the provider’s answer says so, otherwise null.')),
}
const slot = z.optional(z.nullable(text)).check(z.describe('Null if the vault has no such slot.'))
const unreachable = z.optional(text).check(z.describe('Why the provider was unreachable.'))
const refusal = z
  .nullable(code)
  .check(z.describe('Why it was refused. Null if the vault did the work.'))

const failure = { error: loggedError }
const coded = { code, error: loggedError }
const keyring = text.check(z.describe('The kids of the keyring.'))
const progress = {
  keyring,
  done: count,
  left: z.nullable(count).check(z.describe('Null if the rows are too many to count.')),
  unopenable: count,
  by_kid: z.record(text, z.strictObject({ rows: count, done: count, unopenable: count })),
}

/** Each event by its name. */
export const LOG_EVENTS = {
  request: line(['info'], {
    request_id: text,
    method: text,
    route: text.check(z.describe('The pattern of the path.')),
    status: z.int(),
    code: refusal,
    duration_ms: count,
    reason: unreachable,
    user_id: z.optional(text),
    caller: z.optional(client),
    provider: slot,
    provider_status: providerStatus,
    ...used,
  }),
  api_key_tried: line(['info'], {
    request_id: requestId,
    user_id: owner,
    provider: text,
    verdict,
    reason: text.check(
      z.describe(
        '`HTTP 401`, the name of an error such as `TimeoutError`, `no probe`, or `no base URL`.',
      ),
    ),
  }),
  binding_call: line(['info', 'error'], {
    request_id: text,
    caller: text.check(z.describe('`binding:NAME`.')),
    method: text,
    user_id: z
      .nullable(text)
      .check(
        z.describe(
          'The owner that the call names, cut after 200 characters. Null if it names none.',
        ),
      ),
    provider: slot,
    code: refusal,
    provider_status: providerStatus,
    ...used,
    duration_ms: count,
    reason: unreachable,
    error: z.optional(loggedError),
  }),
  rewrap_begun: line(['info'], { keyring }),
  rewrap_moved: line(['info'], progress),
  rewrap_finished: line(['info'], progress),
  keys_rechecked: line(['info'], { checked: count, lap_ended: z.boolean() }),
  error: line(['error'], { request_id: requestId, ...coded }),
  api_key_unreadable: line(['error'], {
    request_id: requestId,
    user_id: owner,
    provider: text,
    key_id: text,
    reason: z.enum(['key_id_not_in_keyring', 'does_not_open', 'not_a_key']),
  }),
  expired_key_deleted: line(['info'], { user_id: owner, provider: text }),
  restored_keys_deleted: line(['info'], { keys: count, users: count }),
  deletions_held: line(['error'], { most: count }),
  deletions_not_copied: line(['error'], coded),
  rewrap_failed: line(['error'], coded),
  expiry_failed: line(['error'], coded),
  trail_not_trimmed: line(['error'], coded),
  recheck_failed: line(['error'], coded),
  rate_limiter_failed: line(['error'], failure),
  database_retried: line(['warn'], failure),
  limiter_missing: line(['warn'], { limiters: z.array(text) }),
  event_not_queued: line(['error'], {
    events: z.array(z.strictObject({ user_id: owner, id: text })),
    error: loggedError,
  }),
  sign_in_discovery_failed: line(['warn'], failure),
  token_keys_dropped: line(['error'], {
    keys: z.array(z.strictObject({ index: count, kid: z.nullable(text), reason: text })),
  }),
  socket_ended: line(['info'], {
    request_id: requestId,
    user_id: owner,
    caller: z
      .nullable(text)
      .check(z.describe('`binding:NAME` or `relay:NAME`. Null if the token names no client.')),
    provider: text,
    code,
  }),
  socket_not_checked: line(['error'], coded),
  use_not_recorded: line(['error'], coded),
  key_not_read_anew: line(['error'], coded),
  uses_not_recorded: line(['error'], coded),
  not_in_trail: line(['error'], { count }),
  export_broken_off: line(['error'], failure),
  not_counted: line(['error'], failure),
}

export type LogEvent = keyof typeof LOG_EVENTS
export type LogLevel<Event extends LogEvent> = (typeof LOG_EVENTS)[Event]['levels'][number]
export type LogFields<Event extends LogEvent> = z.infer<(typeof LOG_EVENTS)[Event]['fields']>
export type LoggedError = z.infer<typeof loggedError>

/** The schema of the whole line of each event. */
export function lineSchemas() {
  return Object.entries(LOG_EVENTS).map(([event, { levels, fields }]) =>
    z.strictObject({ level: z.enum(levels), event: z.literal(event), ...fields.shape }),
  )
}
