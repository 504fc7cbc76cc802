/** What each route of the API takes and answers: the schemas that validate, and the codes of its refusals. */

import * as z from 'zod/mini'
import { eventsQuery } from '../../src/http/events-query.ts'
import { keyBody, slotBody } from '../../src/http/key-body.ts'
import { limitsBody } from '../../src/http/limits-body.ts'
import { verifyQuery } from '../../src/http/verify-query.ts'
import { DEFAULT_EVENTS, MAX_EVENTS, MAX_EXPORTED } from '../../src/keys/trail.ts'
import * as answers from '../../src/shared/answers.ts'
import type { ErrorCode } from '../../src/shared/error-code.ts'

/** The schemas that the document names. */
export const SCHEMAS = {
  Key: answers.keyAnswer,
  Slot: answers.slotAnswer,
  SlotWithKey: answers.assignedAnswer,
  ListedSlot: answers.listedAnswer,
  SlotList: answers.listAnswer,
  VerifiedSlot: answers.verifyAnswer,
  SavedKey: answers.savedAnswer,
  SavedSlot: answers.savedSlotAnswer,
  DeletedKey: answers.deletedAnswer,
  DeletedSlot: answers.deletedSlotAnswer,
  Config: answers.configAnswer,
  Health: answers.healthAnswer,
  Event: answers.event,
  Events: answers.eventsAnswer,
  KeyBody: keyBody,
  SlotBody: slotBody,
  LimitsBody: limitsBody,
} satisfies Record<string, z.core.$ZodType>

export type SchemaName = keyof typeof SCHEMAS

export interface Operation {
  method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  path: string
  operationId: string
  summary: string
  description?: string
  query?: { schema: z.ZodMiniObject; parameters: Record<string, string> }
  body?: { schema: SchemaName; description: string }
  answer: SchemaName
  /** Another media type in which the operation answers, if the query asks for it. */
  also?: { type: string; schema: SchemaName; description: string }
  /** How the operation uses entity tags (RFC 9110 §13): it answers with one, requires one, or both. */
  tags?: 'answers' | 'requires' | 'both'
  codes: readonly ErrorCode[]
}

/** What each parameter means. It is not beside the schema, since the Worker would then carry it. */
const VERIFY = {
  schema: verifyQuery,
  parameters: {
    verify:
      '`false` skips the check with the provider, and `true` asks for it. Without either, `VERIFY_ON_SAVE` decides.',
  } satisfies Record<keyof typeof verifyQuery.shape, string>,
}

const EVENTS = {
  schema: eventsQuery,
  parameters: {
    provider: 'The name of a slot: only its events.',
    cursor: 'The `next_cursor` of the previous page.',
    from: 'Only events at this time or later.',
    to: 'Only events before this time.',
    limit: `The events of a page, at most ${MAX_EVENTS}; by default ${DEFAULT_EVENTS}.`,
    format: `\`ndjson\` answers with up to ${MAX_EXPORTED} events, one on each line.`,
  } satisfies Record<keyof typeof eventsQuery.shape, string>,
}

const FAULTS: readonly ErrorCode[] = ['internal', 'server_misconfigured']

/** Every route of a user. */
const OWN: readonly ErrorCode[] = [
  'token_missing',
  'token_invalid',
  'token_expired',
  'not_your_own',
  'user_not_found',
  'rate_limited',
  'database_busy',
  'token_keys_unreachable',
  ...FAULTS,
]

const BODY: readonly ErrorCode[] = [
  'api_key_missing',
  'api_key_invalid',
  'expires_at_invalid',
  'invalid_json',
  'content_type_not_json',
  'body_too_large',
  'body_too_slow',
]

const LIMITS: readonly ErrorCode[] = [
  'limits_invalid',
  'expires_at_invalid',
  'invalid_json',
  'content_type_not_json',
  'body_too_large',
  'body_too_slow',
]

/** A change that may ask for an entity tag. */
const TAGGED: readonly ErrorCode[] = ['invalid_precondition', 'changed_meanwhile']

/** A save into a provider's slot, after the check with the provider. */
const CHECKED: readonly ErrorCode[] = [
  'invalid_query',
  'base_url_invalid',
  'unknown_provider',
  'api_key_rejected',
]

const KEY =
  'A key has 1 to 8,192 printable ASCII characters. The vault trims white space around it and changes nothing else.'

const PLAIN = '/api/users/{userId}/api-key'
const SLOTS = '/api/users/{userId}/api-keys'
const SLOT = `${SLOTS}/{provider}`

/** In the order of the reference page. */
export const OPERATIONS: readonly Operation[] = [
  {
    method: 'get',
    path: PLAIN,
    operationId: 'getKey',
    summary: 'Show the key of the plain route',
    answer: 'Key',
    tags: 'answers',
    codes: OWN,
  },
  {
    method: 'put',
    path: PLAIN,
    operationId: 'saveKey',
    summary: 'Save the key of the plain route',
    description: 'The vault does not check this key with a provider.',
    body: { schema: 'KeyBody', description: KEY },
    answer: 'SavedKey',
    tags: 'both',
    codes: [...OWN, ...BODY, ...TAGGED],
  },
  {
    method: 'delete',
    path: PLAIN,
    operationId: 'deleteKey',
    summary: 'Delete the key of the plain route',
    description: 'Without a key, the answer is the same.',
    answer: 'DeletedKey',
    tags: 'requires',
    codes: [...OWN, ...TAGGED],
  },
  {
    method: 'get',
    path: SLOTS,
    operationId: 'listSlots',
    summary: 'List all slots',
    description:
      'Empty slots are listed too. `default` comes first. Last come the keys of removed providers, which can only be deleted.',
    answer: 'SlotList',
    codes: OWN,
  },
  {
    method: 'get',
    path: SLOT,
    operationId: 'getSlot',
    summary: 'Show the key in a slot',
    answer: 'Slot',
    tags: 'answers',
    codes: [...OWN, 'unknown_provider'],
  },
  {
    method: 'put',
    path: SLOT,
    operationId: 'saveSlot',
    summary: 'Save a key in a slot',
    description:
      'The vault first checks the key with the provider. If the provider clearly rejects the key, the answer is a 422 and the previous key is kept.',
    query: VERIFY,
    body: {
      schema: 'SlotBody',
      description: `${KEY} A provider with an address per user needs a \`base_url\`.`,
    },
    answer: 'SavedSlot',
    tags: 'both',
    codes: [...OWN, ...BODY, ...CHECKED, ...TAGGED],
  },
  {
    method: 'delete',
    path: SLOT,
    operationId: 'deleteSlot',
    summary: 'Delete the key in a slot',
    description: 'Without a key, the answer is the same.',
    answer: 'DeletedSlot',
    tags: 'requires',
    codes: [...OWN, 'unknown_provider', ...TAGGED],
  },
  {
    method: 'patch',
    path: SLOT,
    operationId: 'setLimits',
    summary: 'Pause or limit the key in a slot',
    description:
      'What the body leaves out stays as it is, and null removes a limit. Limits stay when the key is replaced, and go when it is deleted.',
    body: {
      schema: 'LimitsBody',
      description:
        'A caller is `binding:NAME` for a bound Worker, or `relay:NAME` for the client of a token that uses the relay: its `client_id`, `azp`, `cid` or `appid`. A paused key stays stored, and nobody can use it.',
    },
    answer: 'Slot',
    tags: 'both',
    codes: [...OWN, ...LIMITS, 'no_api_key', ...TAGGED],
  },
  {
    method: 'post',
    path: `${SLOT}/assign`,
    operationId: 'assignKey',
    summary: 'Move the key of the plain route to a slot',
    description:
      'The vault first checks the key with the provider, unless it is paused: then the answer is a 403. If the slot has a key already, the answer is a 409 and both keys stay.',
    query: VERIFY,
    answer: 'SlotWithKey',
    codes: [
      ...OWN,
      ...CHECKED,
      'no_api_key',
      'api_key_exists',
      'api_key_unreadable',
      'api_key_paused',
      'api_key_expired',
    ],
  },
  {
    method: 'post',
    path: `${SLOT}/verify`,
    operationId: 'verifySlot',
    summary: 'Check the stored key with its provider',
    description:
      'The vault records the result as the `status` of the key. It does not check a paused key.',
    answer: 'VerifiedSlot',
    codes: [...OWN, 'unknown_provider', 'api_key_paused', 'api_key_expired'],
  },
  {
    method: 'get',
    path: '/api/users/{userId}/api-key-events',
    operationId: 'listEvents',
    summary: 'List what happened to the keys',
    description:
      'The newest event comes first. What a caller did in one hour is one event, which counts it. Events are kept for `EVENTS_KEPT_DAYS` days.',
    query: EVENTS,
    answer: 'Events',
    also: {
      type: 'application/x-ndjson',
      schema: 'Event',
      description:
        'With `format=ndjson`: up to 10,000 events, one on each line. If there are more, the last line is `{"next_cursor": "…"}`.',
    },
    codes: [...OWN, 'invalid_query'],
  },
  {
    method: 'get',
    path: '/api/config',
    operationId: 'getConfig',
    summary: 'Show how the page signs users in',
    answer: 'Config',
    codes: ['rate_limited', ...FAULTS],
  },
  {
    method: 'get',
    path: '/api/health',
    operationId: 'getHealth',
    summary: 'Tell whether the service is healthy',
    answer: 'Health',
    codes: ['rate_limited', 'internal', 'unhealthy'],
  },
]

/** Whether the operation needs a token: those of a user do. */
export function needsToken({ path }: Operation): boolean {
  return path.includes('{userId}')
}
