/** What the Worker does not need of each route: what it says of itself, and the codes of its refusals. */

import type * as z from 'zod/mini'
import { bodySchemas } from '../../src/http/bodies.ts'
import { querySchemas } from '../../src/http/parameters.ts'
import { DEFAULT_EVENTS, MAX_EVENTS, MAX_EXPORTED } from '../../src/keys/trail.ts'
import { DEFAULT_USERS, MAX_USERS } from '../../src/keys/users.ts'
import * as answers from '../../src/shared/answers.ts'
import type { ErrorCode } from '../../src/shared/error-code.ts'
import { namesIn } from '../../src/shared/json.ts'
import {
  ANSWER_NAMES,
  ROUTES,
  type Bodies,
  type BodyOf,
  type OperationId,
  type Queries,
  type Route,
} from '../../src/shared/routes.ts'

const ANSWERS: { [Name in keyof answers.Answers]: z.ZodMiniType<answers.Answers[Name]> } = {
  Key: answers.keyAnswer,
  Slot: answers.slotAnswer,
  SlotWithKey: answers.slotWithKey,
  ChangedSlot: answers.changedSlotAnswer,
  AssignedSlot: answers.assignedAnswer,
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
  User: answers.userAnswer,
  AddedUser: answers.addedUserAnswer,
  RemovedUser: answers.removedUserAnswer,
  Users: answers.usersAnswer,
  MemberSlot: answers.memberSlot,
  TeamSlot: answers.teamSlotAnswer,
  TeamSlotList: answers.teamListAnswer,
  SavedTeamSlot: answers.savedTeamSlotAnswer,
  DeletedTeamSlot: answers.deletedTeamSlotAnswer,
  TeamEvents: answers.teamEventsAnswer,
  Team: answers.teamAnswer,
  ChangedTeam: answers.changedTeamAnswer,
  RemovedTeam: answers.removedTeamAnswer,
  ExportLine: answers.exportLine,
}

/** The schemas that the document names. */
export const SCHEMAS: Record<string, z.core.$ZodType> = { ...ANSWERS, ...bodySchemas }

/** What each parameter means. */
export const QUERY_PARAMETERS: {
  [Name in keyof typeof querySchemas]: Record<keyof Queries[Name], string>
} = {
  Verify: {
    verify:
      '`false` skips the check with the provider, and `true` asks for it. Without either, `VERIFY_ON_SAVE` decides.',
  },
  Events: {
    provider:
      'A provider, for the events of all its slots, or one slot. Looks at all slots are among them.',
    cursor: 'The `next_cursor` of the previous page.',
    from: 'Only events at this time or later.',
    to: 'Only events before this time.',
    limit: `The events of a page, at most ${MAX_EVENTS}; by default ${DEFAULT_EVENTS}.`,
    format: `\`ndjson\` answers with up to ${MAX_EXPORTED.toLocaleString('en')} events, one on each line.`,
  },
  Users: {
    cursor: 'The `next_cursor` of the previous page.',
    limit: `The users of a page, at most ${MAX_USERS}; by default ${DEFAULT_USERS}.`,
  },
  Export: { cursor: 'The `next_cursor` of the previous part.' },
}

interface Description {
  summary: string
  description?: string
  /** What its body holds. */
  sent?: string
  /** Another media type in which it answers, if the query asks for it. */
  also?: { type: string; schema: keyof answers.Answers; description: string }
  /** The refusals of its work. Those of what it takes are in {@link listCodes}. */
  codes?: readonly ErrorCode[]
}

type DescriptionOf<Id extends OperationId> =
  BodyOf<Id> extends undefined ? Omit<Description, 'sent'> : Description & { sent: string }

const KEY =
  'A key has 1 to 8,192 printable ASCII characters. The vault trims white space around it and changes nothing else.'

/** A key that goes into a provider's slot is checked with the provider. */
const CHECKED = [
  'base_url_invalid',
  'unknown_provider',
  'api_key_rejected',
  'too_many_keys',
] as const

const SEES =
  'An admin and a server see what a user sees of their own key. Another member sees whether there is a key, its label and its status.'

const NDJSON = {
  type: 'application/x-ndjson',
  schema: 'Event',
  description:
    'With `format=ndjson`: up to 10,000 events, one on each line. If there are more, the last line is `{"next_cursor": "…"}`.',
} as const

const DESCRIPTIONS: { [Id in OperationId]: DescriptionOf<Id> } = {
  getKey: { summary: 'Show the key of the plain route' },
  saveKey: {
    summary: 'Save the key of the plain route',
    description: 'The vault does not check this key with a provider.',
    sent: KEY,
    codes: ['too_many_keys'],
  },
  deleteKey: {
    summary: 'Delete the key of the plain route',
    description: 'Without a key, the answer is the same.',
  },
  listSlots: {
    summary: 'List all slots',
    description:
      'Empty slots are listed too. `default` comes first, or with `DEFAULT_PROVIDER` the slots of that provider. Each provider has its keys in their order. If its slot without a label is empty, it comes after them. The keys of removed providers come last. They can be limited and deleted.',
  },
  getSlot: { summary: 'Show the key in a slot', codes: ['unknown_provider'] },
  saveSlot: {
    summary: 'Save a key in a slot',
    description:
      'The vault first checks the key with the provider, unless `verify` or `VERIFY_ON_SAVE` turns that off. If the provider clearly rejects the key, the answer is a 422 and the previous key is kept. A server can save only in an empty slot.',
    sent: `${KEY} A provider with an address per user needs a \`base_url\`.`,
    codes: CHECKED,
  },
  deleteSlot: {
    summary: 'Delete the key in a slot',
    description: 'Without a key, the answer is the same.',
    codes: ['unknown_provider'],
  },
  setLimits: {
    summary: 'Pause, limit, rename or move the key in a slot',
    description:
      'What the body leaves out stays as it is, and null removes a limit. When the key is replaced, its limits stay, but not its expiry. When it is deleted, all go. A body with `label` or `position` renames or moves the key, and has none of the other fields: the answer has its slot under the new name. A server can only pause a key.',
    sent: 'A caller is `binding:NAME` for a bound Worker, or `relay:NAME` for the client of a token that uses the relay: its `client_id`, `azp`, `cid` or `appid`. A paused key stays stored, and nobody can use it.',
    codes: ['no_api_key', 'not_granted', 'unknown_provider', 'api_key_exists'],
  },
  assignKey: {
    summary: 'Move the key of the plain route to a slot',
    description:
      'The vault first checks the key as on a save. If the key is paused, the answer is a 403 instead of a check. If the slot has a key already, the answer is a 409 and both keys stay.',
    codes: [
      ...CHECKED,
      'no_api_key',
      'api_key_exists',
      'api_key_unreadable',
      'api_key_paused',
      'api_key_expired',
    ],
  },
  verifySlot: {
    summary: 'Check the stored key with its provider',
    description:
      'If the provider accepts or rejects the key, that is its `status` from then on. The vault does not check a key that is paused or has expired.',
    codes: ['unknown_provider', 'api_key_paused', 'api_key_expired'],
  },
  listEvents: {
    summary: 'List what happened to the keys',
    description:
      'The newest event comes first. The uses of one slot by one caller in one hour are one event, which counts them. Events are kept for `EVENTS_KEPT_DAYS` days.',
    also: NDJSON,
  },
  listUsers: {
    summary: 'List the users',
    description: 'The users come in the order of their ids.',
  },
  addUser: {
    summary: 'Add a user',
    description: 'A user who exists already stays as it is.',
  },
  getUser: { summary: 'Show a user', codes: ['user_not_found'] },
  removeUser: {
    summary: 'Remove a user with all keys and events',
    description: 'Without such a user, the answer is a 200 too.',
  },
  exportUser: {
    summary: 'Export everything that is stored about the user',
    description: `One JSON object on each line: the user, the keys with their limits, what imports have noted, the events, and an \`end\`. No line has a key. An answer has up to ${MAX_EXPORTED.toLocaleString('en')} events. If the last line is not an \`end\`, the answer was cut off. If its \`next_cursor\` is not null, send that as \`cursor\`: the answer has the user and the next events.`,
  },
  listTeamSlots: {
    summary: 'List all slots of a team',
    description: SEES,
  },
  getTeamSlot: {
    summary: "Show a team's key in a slot",
    description: SEES,
    codes: ['unknown_provider'],
  },
  saveTeamSlot: {
    summary: "Save a team's key in a slot",
    description: 'It works as for a user. The first key that an admin saves adds the team.',
    sent: KEY,
    codes: CHECKED,
  },
  deleteTeamSlot: {
    summary: "Delete a team's key in a slot",
    description: 'Without a key, the answer is the same.',
    codes: ['unknown_provider'],
  },
  setTeamLimits: {
    summary: "Pause, limit, rename or move a team's key in a slot",
    description: 'It works as for a user.',
    sent: 'What the body leaves out stays as it is, and null removes a limit.',
    codes: ['no_api_key', 'not_granted', 'unknown_provider', 'api_key_exists'],
  },
  verifyTeamSlot: {
    summary: "Check a team's stored key with its provider",
    codes: ['unknown_provider', 'api_key_paused', 'api_key_expired'],
  },
  listTeamEvents: {
    summary: "List what happened to a team's keys",
    description: 'An admin and a server see all events, and another member only their own.',
    also: NDJSON,
  },
  getTeam: { summary: 'Show a team' },
  changeTeam: {
    summary: 'Change the settings of a team',
    description:
      'The first change adds the team. `tokens_since` ends older tokens for this team. If the token of this request is older, your next request needs a new one.',
    sent: '`own_keys`: whether members may use keys of their own. `tokens_since`: a time that has passed, as ISO 8601. A time before the stored one changes nothing.',
  },
  removeTeam: {
    summary: 'Remove a team with all keys and events',
    description: 'If there is no such team, the answer is a 200 too.',
  },
  getConfig: {
    summary: 'Show how the page signs users in',
    codes: ['rate_limited', 'internal', 'server_misconfigured'],
  },
  getHealth: {
    summary: 'Tell whether the service is healthy',
    codes: ['rate_limited', 'internal', 'unhealthy'],
  },
}

/** Every route that needs a token. */
const GUARDED: readonly ErrorCode[] = [
  'token_missing',
  'token_invalid',
  'token_expired',
  'rate_limited',
  'database_busy',
  'token_keys_unreachable',
  'internal',
  'server_misconfigured',
]

/** The refusals that depend on whose tokens a route takes. */
const OF_TOKENS: Record<Route['tokens'][number], readonly ErrorCode[]> = {
  owner: ['not_your_own', 'user_not_found'],
  // Without JWT_TEAM_CLAIM, there is no such route.
  member: ['not_your_own', 'teams_not_in_token', 'user_not_found', 'not_found'],
  admin: ['not_your_own', 'teams_not_in_token', 'user_not_found', 'not_found'],
  // Without server routes, there is no such route.
  users: ['scope_missing', 'not_found'],
  support: ['scope_missing', 'unhealthy'],
  save: ['scope_missing', 'not_granted', 'api_key_exists'],
  export: ['scope_missing'],
}

/** A server may name any user or team, and its token says nothing of the id. */
function takesAnyOwner({ path, tokens }: Route): boolean {
  const isServers = tokens.some((token) => !['owner', 'member', 'admin'].includes(token))
  return isServers && path.includes(':')
}

const JSON_BODY: readonly ErrorCode[] = [
  'expires_at_invalid',
  'invalid_json',
  'content_type_not_json',
  'body_too_large',
  'body_too_slow',
]

const OF_BODY: { [Name in keyof Bodies]: readonly ErrorCode[] } = {
  None: [],
  KeyBody: ['api_key_missing', 'api_key_invalid', ...JSON_BODY],
  SlotBody: ['api_key_missing', 'api_key_invalid', ...JSON_BODY],
  LimitsBody: ['limits_invalid', ...JSON_BODY],
  TeamBody: ['team_settings_invalid', ...JSON_BODY],
}

function listCodes(route: Route, ofWork: readonly ErrorCode[] = []): ErrorCode[] {
  const codes = [
    ...(route.tokens.length === 0 ? [] : GUARDED),
    ...route.tokens.flatMap((token) => OF_TOKENS[token]),
    ...(takesAnyOwner(route) ? ['invalid_argument' as const] : []),
    ...OF_BODY[route.body],
    ...(route.path.includes(':provider') ? ['label_invalid' as const] : []),
    ...(route.query === 'None' ? [] : ['invalid_query' as const]),
    ...ofWork,
    ...(requiresTags(route) ? ['invalid_precondition' as const, 'changed_meanwhile' as const] : []),
  ]
  return [...new Set(codes)]
}

/** Whether a change may ask for an entity tag. */
export function requiresTags({ tags }: Route): boolean {
  return tags === 'requires' || tags === 'both'
}

export interface Operation extends Route, Description {
  operationId: OperationId
  /** The name of what it answers with. */
  answer: keyof answers.Answers
  codes: readonly ErrorCode[]
}

/** In the order of the reference page. */
export const OPERATIONS: readonly Operation[] = namesIn(ROUTES).map(makeOperation)

function makeOperation(operationId: OperationId): Operation {
  const route: Route = ROUTES[operationId]
  const description: Description = DESCRIPTIONS[operationId]
  return {
    operationId,
    answer: ANSWER_NAMES[operationId],
    ...route,
    ...description,
    codes: listCodes(route, description.codes),
  }
}
