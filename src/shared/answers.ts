/**
 * The JSON bodies of the HTTP contract, as schemas: the types are inferred from them, and `npm run openapi -- write`
 * describes them. The Worker and the page import only the types.
 */

import * as z from 'zod/mini'
import { CODES } from './error-code.ts'
import { CHANGES, LOOKS, SUMS } from './event-kind.ts'
import { namesIn } from './json.ts'
import { KEY_FAULTS } from './key-text.ts'
import type { OwnerId } from './owner.ts'
import { EXTRA_WORDS } from './pasted-text.ts'

export const keyStatus = z
  .enum(['active', 'rejected', 'unverified'])
  .check(z.describe('What the provider last said about the key.'))

export const verdict = z
  .enum(['accepted', 'refused', 'unknown'])
  .check(z.describe('What the provider says about the key. `unknown`: the answer proves nothing.'))

export const rejectionReason = z
  .enum(['revoked', 'leaked', 'suspended', 'unknown'])
  .check(z.describe('Why the provider rejected the key. `unknown`: the provider did not say why.'))

export const keyCondition = z
  .literal('out_of_credit')
  .check(
    z.describe(
      'What keeps the key from working at its provider at present. Left out if the vault knows of nothing.',
    ),
  )

export const keySource = z
  .enum(['own', 'team'])
  .check(z.describe('Whose key a use took: that of the user, or that of a team of the user.'))

const time = z.iso.datetime()

const tag = {
  etag: z
    .string()
    .check(
      z.describe(
        'The entity tag of the key, for `If-Match`. It changes with each change by the owner or the operator, but not with a use or a check.',
      ),
    ),
}

/** How soon a change of who may use a key counts. */
const effect = {
  effective_within_s: z
    .exactOptional(z.int())
    .check(
      z.describe(
        'After so many seconds, this change counts for each new use, everywhere. Left out if `USE_FRESH_SECONDS` is 0: it counts at once.',
      ),
    ),
}

const preview = {
  api_key_preview: z
    .string()
    .check(z.describe('The first 8 characters and `...`, or `****` for 8 characters or fewer.')),
}

const savedAt = {
  api_key_updated_at: time.check(z.describe('When the key was saved.')),
  saved_by: z
    .exactOptional(z.literal('operator'))
    .check(z.describe('The operator of the application saved the key, not its owner.')),
}

/** A stored key, as much of it as is ever shown. */
export const keyFields = z.object({ ...preview, ...savedAt, ...tag })

/** What the owner of a key allows. */
const limits = {
  paused_at: z
    .exactOptional(time)
    .check(z.describe('When the key was paused. Left out if it is not.')),
  callers: z
    .exactOptional(z.readonly(z.array(z.string())))
    .check(
      z.describe(
        'The only callers that may use the key, each as `binding:NAME` or `relay:NAME`. Left out if all may.',
      ),
    ),
  max_uses: z
    .exactOptional(
      z.object({
        count: z.int().check(z.describe('How often the key may be used in the period.')),
        per: z.enum(['day', 'month']).check(z.describe('A day or a month in UTC.')),
        used: z.int().check(z.describe('How often it was used in this period.')),
      }),
    )
    .check(z.describe('Left out if the uses are not limited.')),
  max_uses_per_member: z
    .exactOptional(
      z.object({
        count: z.int().check(z.describe('How often each member may use the key in the period.')),
        per: z.enum(['day', 'month']).check(z.describe('A day or a month in UTC.')),
      }),
    )
    .check(z.describe("Of a team's key. Left out if the uses of a member are not limited.")),
}

/** The fields that only an opened key shows, apart from its preview. */
const sealedFields = {
  api_key_last4: z
    .exactOptional(z.string())
    .check(z.describe('The last 4 characters of a key of 20 or more.')),
  base_url: z
    .exactOptional(z.string())
    .check(z.describe('The URL that the user gave, for a provider with an address per user.')),
}

/** What is known of a provider's key without opening it. */
const rowFields = {
  status: keyStatus,
  condition: z.exactOptional(keyCondition),
  condition_at: z
    .exactOptional(time)
    .check(z.describe('When the provider first said so. Left out without a condition.')),
  last_used_at: z
    .nullable(time)
    .check(
      z.describe(
        'When a use was last recorded: the first of a day in UTC, one that changed the status or the condition, and of a key without credit one an hour.',
      ),
    ),
  last_verified_at: z
    .nullable(time)
    .check(
      z.describe(
        'When its provider last accepted or rejected it in a check by its user or by the job.',
      ),
    ),
  expires_at: z
    .exactOptional(time)
    .check(z.describe('When the key may not be used any more. Left out if it never expires.')),
  ...limits,
}

/** What is known of a provider's key. */
export const slotFields = z.extend(keyFields, { ...sealedFields, ...rowFields })

const noError = { error: z.exactOptional(z.never()) }
const withKey = z.object({
  has_api_key: z.literal(true).check(z.describe('The slot has a key.')),
  ...noError,
})
const withoutKey = z.object({
  has_api_key: z.literal(false).check(z.describe('The slot is empty.')),
  ...noError,
})
const unreadable = z.object({
  has_api_key: z.literal(false).check(z.describe('The stored key cannot be decrypted.')),
  error: z.literal('Invalid encrypted key'),
  ...tag,
})

/** A slot: empty, with a key that cannot be decrypted, or with a key. */
export const keyAnswer = z.union([z.extend(withKey, keyFields.shape), withoutKey, unreadable])

/**
 * Why a stored key does not open. If the encryption key is missing, the operator can bring it back;
 * otherwise the user has to enter the key again.
 */
const decryptionFault = z.enum(['encryption_key_missing', 'cannot_be_decrypted'])

const provider = { provider: z.string().check(z.describe('The name of the slot.')) }
export const slotWithKey = z.extend(withKey, { ...provider, ...slotFields.shape })
const unreadableSlot = z.extend(unreadable, {
  ...provider,
  reason: decryptionFault.check(
    z.describe(
      'The operator can bring a missing encryption key back. Otherwise enter the key again.',
    ),
  ),
})

/** `GET …/api-keys/:provider`. */
export const slotAnswer = z.union([slotWithKey, z.extend(withoutKey, provider), unreadableSlot])

/** `PATCH …/api-keys/:provider`. */
export const changedSlotAnswer = z.union([
  z.extend(slotWithKey, effect),
  z.extend(withoutKey, { ...provider, ...effect }),
  z.extend(unreadableSlot, effect),
])

/** `POST …/assign`. */
export const assignedAnswer = z.extend(slotWithKey, effect)

const label = {
  label: z
    .nullable(z.string())
    .check(z.describe('The label of the slot. Without one, the name of the provider, for users.')),
  position: z
    .exactOptional(z.int())
    .check(
      z.describe(
        'Which of the keys of this provider it is: 0 is first. Left out for an empty slot, and for `default`.',
      ),
    ),
  key_page: z.nullable(z.string()).check(z.describe('The page where users make such a key.')),
  billing_page: z
    .exactOptional(z.string())
    .check(z.describe('The page where users add credit. Left out if none is known.')),
  key_prefixes: z
    .readonly(z.array(z.string()))
    .check(z.describe('What keys of this provider begin with.')),
  hosts: z
    .exactOptional(z.readonly(z.array(z.string())))
    .check(
      z.describe('The hosts where a base URL may be, for a provider with an address per user.'),
    ),
}

const same = {
  same_key_in: z
    .exactOptional(z.readonly(z.array(z.string())))
    .check(
      z.describe(
        'The other slots with the same key of 20 or more characters. Left out if there are none.',
      ),
    ),
}

/** One of `GET …/api-keys`. The key page is null for `default` and a removed provider, and so is the label if the slot has none. */
export const listedAnswer = z.union([
  z.extend(slotWithKey, { ...label, ...same }),
  z.extend(withoutKey, { ...provider, ...label }),
  z.extend(unreadableSlot, label),
])

/** `GET …/api-keys`. */
export const listAnswer = z.object({ user_id: z.string(), api_keys: z.array(listedAnswer) })

const checked = {
  verdict: z
    .nullable(verdict)
    .check(
      z.describe(
        'Null if the slot has no readable key or no provider, or if the key was replaced, deleted or got another state during the check.',
      ),
    ),
}

/** `POST …/verify`. */
export const verifyAnswer = z.union([
  z.extend(slotWithKey, checked),
  z.extend(withoutKey, { ...provider, ...checked }),
  z.extend(unreadableSlot, checked),
])

const saved = z.object({
  message: z.literal('API key updated successfully'),
  user_id: z.string(),
  user: z.object({ id: z.string(), has_api_key: z.literal(true) }),
  ...effect,
})

/** `PUT …/api-key`. */
export const savedAnswer = z.extend(saved, {
  user: z.extend(saved.shape.user, keyFields.shape),
})

export const savedFields = z.extend(slotFields, same)

/** `PUT …/api-keys/:provider`. */
export const savedSlotAnswer = z.extend(saved, {
  user: z.extend(saved.shape.user, { ...provider, ...savedFields.shape }),
})

/** `DELETE …/api-key`. */
export const deletedAnswer = z.object({
  message: z.literal('API key deleted successfully'),
  user_id: z.string(),
  user: z.object({
    id: z.string(),
    has_api_key: z.literal(false),
    api_key_preview: z.null(),
    api_key_updated_at: z.null(),
  }),
  ...effect,
})

/** `DELETE …/api-keys/:provider`. */
export const deletedSlotAnswer = z.extend(deletedAnswer, {
  user: z.extend(deletedAnswer.shape.user, {
    ...provider,
    status: z.null(),
    last_used_at: z.null(),
    last_verified_at: z.null(),
  }),
})

/** Why a request or a use was refused. */
export const errorCode = z.enum(namesIn(CODES))

/** What happened to a user's keys. A sum counts what a caller did in one hour. */
export const event = z.object({
  id: z.string().check(z.describe('Unique for the user. It sorts by time.')),
  provider: z.string().check(z.describe('The name of the slot. `*` stands for all slots.')),
  event: z.enum([...CHANGES, ...LOOKS, ...SUMS]),
  by: z.enum(['owner', 'caller', 'operator', 'job', 'import']).check(z.describe('Who did it.')),
  caller: z
    .exactOptional(z.string())
    .check(
      z.describe(
        'The bound Worker as `binding:NAME`, the client of the relay as `relay:NAME`, if its token names it, or the server as `server:NAME`.',
      ),
    ),
  member: z
    .exactOptional(z.string())
    .check(
      z.describe(
        'Of a team: the user who did it. Left out if it was no member, or if the user was removed.',
      ),
    ),
  at: time.check(z.describe('When it happened. For a sum, when it first happened in its hour.')),
  last_at: z.exactOptional(time).check(z.describe('Of a sum: when it last happened.')),
  count: z.exactOptional(z.int()).check(z.describe('Of a sum: how often it happened.')),
  errors: z
    .exactOptional(z.int())
    .check(
      z.describe('Of uses: how many got a status of 400 or more from the provider, or no answer.'),
    ),
  code: z.exactOptional(errorCode).check(z.describe('Why uses were refused.')),
  verdict: z.exactOptional(verdict),
  reason: z.exactOptional(rejectionReason),
  provider_status: z
    .exactOptional(z.int())
    .check(
      z.describe(
        'The status with which the provider rejected the key, or by which its condition changed.',
      ),
    ),
  request_id: z.exactOptional(z.string()).check(z.describe('The id of the request in the log.')),
})

/** `GET …/api-key-events`. */
export const eventsAnswer = z.object({
  user_id: z.string(),
  events: z.array(event),
  next_cursor: z.nullable(z.string()).check(z.describe('The `cursor` of the next page.')),
})

const userId = { user_id: z.string() }
const teamId = { team_id: z.string() }

/** What a member who is not an admin sees of a team's slot. */
export const memberSlot = z.object({
  ...provider,
  has_api_key: z.boolean().check(z.describe('The slot has a key that can be decrypted.')),
  label: z
    .nullable(z.string())
    .check(z.describe('The label of the slot, or without one the name of the provider.')),
  status: z.exactOptional(keyStatus),
})

/** `GET /api/teams/:teamId/api-keys/:provider`. */
export const teamSlotAnswer = z.union([slotAnswer, memberSlot])

/** `GET /api/teams/:teamId/api-keys`. */
export const teamListAnswer = z.object({
  ...teamId,
  api_keys: z.union([z.array(listedAnswer), z.array(memberSlot)]),
})

/** `PUT /api/teams/:teamId/api-keys/:provider`. */
export const savedTeamSlotAnswer = z.object({
  message: saved.shape.message,
  ...teamId,
  team: savedSlotAnswer.shape.user,
  ...effect,
})

/** `DELETE /api/teams/:teamId/api-keys/:provider`. */
export const deletedTeamSlotAnswer = z.object({
  message: deletedAnswer.shape.message,
  ...teamId,
  team: deletedSlotAnswer.shape.user,
  ...effect,
})

/** `GET /api/teams/:teamId/api-key-events`. */
export const teamEventsAnswer = z.object({
  ...teamId,
  events: eventsAnswer.shape.events,
  next_cursor: eventsAnswer.shape.next_cursor,
})

/** `GET /api/teams/:teamId`. */
export const teamAnswer = z.object({
  ...teamId,
  created_at: z
    .nullable(time)
    .check(z.describe('When the first key or setting of the team was saved. Null before that.')),
  own_keys: z.boolean().check(z.describe('Whether its members may use keys of their own.')),
  tokens_since: z
    .exactOptional(time)
    .check(z.describe('Older tokens do not count for the team. Left out if all do.')),
})

/** `PATCH /api/teams/:teamId`. */
export const changedTeamAnswer = z.extend(teamAnswer, effect)

/** `DELETE /api/teams/:teamId`. */
export const removedTeamAnswer = z.object({
  ...teamId,
  deleted: z.boolean().check(z.describe('False if there was no such team.')),
  ...effect,
})

/** `GET /api/users/:userId`. */
export const userAnswer = z.object({
  ...userId,
  created_at: time.check(z.describe('When the user was added.')),
})

/** `PUT /api/users/:userId`. */
export const addedUserAnswer = z.object({
  ...userId,
  created: z.boolean().check(z.describe('False if the user existed already.')),
})

/** `DELETE /api/users/:userId`. */
export const removedUserAnswer = z.object({
  ...userId,
  deleted: z.boolean().check(z.describe('False if there was no such user.')),
  ...effect,
})

/** `GET /api/users`. */
export const usersAnswer = z.object({
  users: z.array(
    z.extend(userAnswer, { keys: z.int().check(z.describe('How many keys the user has.')) }),
  ),
  next_cursor: z.nullable(z.string()).check(z.describe('The `cursor` of the next page.')),
})

const exportedUser = z.object({
  type: z.literal('user'),
  user_id: z.string(),
  exported_at: time.check(z.describe('When the vault wrote this line.')),
  created_at: z
    .exactOptional(time)
    .check(z.describe('When the user was added. Left out if nobody added the user yet.')),
  identity: z
    .exactOptional(z.string())
    .check(z.describe('Random. A user who is removed and added again has another one.')),
})

/** What the vault says of a key without opening it. */
export const exportedRow = z.object({
  type: z.literal('key'),
  ...provider,
  position: z
    .int()
    .check(
      z.describe('The order of the keys of one provider, as it is stored. There may be gaps.'),
    ),
  ...savedAt,
  ...tag,
  ...rowFields,
  uses: z.exactOptional(z.int()).check(z.describe('How often the key was used in `uses_in`.')),
  uses_in: z
    .exactOptional(z.string())
    .check(z.describe('The day or month of `uses`. Left out if no use was counted.')),
  key_id: z
    .string()
    .check(
      z.describe(
        'The name of the encryption key that sealed the key; `fernet` for an imported key that is not sealed again yet.',
      ),
    ),
  has_fingerprint: z
    .boolean()
    .check(z.describe('The vault has a fingerprint of the key, which tells equal keys.')),
})

const exportedKey = z.union([
  z.extend(exportedRow, {
    has_api_key: withKey.shape.has_api_key,
    ...preview,
    ...sealedFields,
    ...same,
  }),
  z.extend(exportedRow, {
    has_api_key: unreadable.shape.has_api_key,
    error: unreadable.shape.error,
    reason: unreadableSlot.shape.reason,
  }),
])

const exportedImport = z.object({
  type: z.literal('import'),
  ...provider,
  saved_at: z
    .nullable(time)
    .check(z.describe('When the imported key was saved, or the key in the slot was deleted.')),
  key_identity: z
    .exactOptional(z.string())
    .check(
      z.describe('The random id of the key that the import saved. Left out if it saved none.'),
    ),
})

const exportedEvent = z.object({ type: z.literal('event'), ...event.shape })

const exportEnd = z.object({
  type: z.literal('end'),
  next_cursor: z
    .nullable(z.string())
    .check(z.describe('The `cursor` of the rest. Null if this is all.')),
})

/** A line of `GET …/export`. */
export const exportLine = z.union([
  exportedUser,
  exportedKey,
  exportedImport,
  exportedEvent,
  exportEnd,
])

/** How the page signs users in. Null if sign-in is not configured. */
export const configAnswer = z.object({
  oidc: z.nullable(
    z.object({
      issuer: z.string(),
      client_id: z.string(),
      scope: z.string(),
      audience: z.nullable(z.string()),
    }),
  ),
})

/** `GET /api/health`. */
export const healthAnswer = z.object({ status: z.literal('ok') })

/** Every answer that is not a 200. */
export const errorAnswer = z.object({
  error: z.string(),
  code: errorCode,
  detail: z.exactOptional(z.string()).check(z.describe('What is wrong with this request.')),
  request_id: z.exactOptional(z.string()).check(z.describe('The id of the request in the log.')),
})

/** A refusal of the relay, in the one form that the SDKs of OpenAI, Anthropic and Google read. */
export const relayErrorAnswer = z.object({
  type: z.literal('error'),
  error: z.object({
    message: z.string(),
    type: z.literal('vault_error'),
    code: errorCode,
    status: errorCode,
    detail: z.exactOptional(z.string()),
  }),
  request_id: z.exactOptional(z.string()),
})

/** The reasons of `api_key_invalid`. */
export const keyReason = z.enum(['not_a_string', ...namesIn(KEY_FAULTS), ...namesIn(EXTRA_WORDS)])

/** The answer for `api_key_invalid`. */
export const invalidKeyAnswer = z.extend(errorAnswer, {
  reason: keyReason.check(z.describe('Why the value is not an API key.')),
  index: z
    .exactOptional(z.int())
    .check(
      z.describe(
        'The first wrong character of the trimmed key, in code points from 0. Only with the reasons `white_space`, `control` and `non_ascii`.',
      ),
    ),
})

export type DecryptionFault = z.infer<typeof decryptionFault>
export type KeyFields = z.infer<typeof keyFields>
export type SlotFields = z.infer<typeof slotFields>
export type SavedFields = z.infer<typeof savedFields>
export type KeyAnswer<Fields extends KeyFields = KeyFields> =
  | z.infer<typeof withoutKey>
  | z.infer<typeof unreadable>
  | (z.infer<typeof withKey> & Fields)
export type SlotAnswer = z.infer<typeof slotAnswer>
export type ChangedSlotAnswer = z.infer<typeof changedSlotAnswer>
export type TeamSlotAnswer = z.infer<typeof teamSlotAnswer>
export type AssignedAnswer = z.infer<typeof assignedAnswer>
export type ListedAnswer = z.infer<typeof listedAnswer>
export type ListAnswer = z.infer<typeof listAnswer>
export type VerifyAnswer = z.infer<typeof verifyAnswer>
export type SavedAnswer<Fields extends KeyFields> = z.infer<typeof saved> & { user: Fields }
export type DeletedAnswer<Fields extends object> = z.infer<typeof deletedAnswer> & { user: Fields }
export type EventAnswer = z.infer<typeof event>
/** An event in the queue of events, with the owner of the key. */
export type EventMessage = EventAnswer & OwnerId
export type EventsAnswer = z.infer<typeof eventsAnswer>
export type MemberSlot = z.infer<typeof memberSlot>
export type TeamAnswer = z.infer<typeof teamAnswer>
export type UserAnswer = z.infer<typeof userAnswer>
export type UsersAnswer = z.infer<typeof usersAnswer>
export type ExportedRow = z.infer<typeof exportedRow>
export type ExportedKey = z.infer<typeof exportedKey>
export type ExportLine = z.infer<typeof exportLine>
export type ConfigAnswer = z.infer<typeof configAnswer>
export type HealthAnswer = z.infer<typeof healthAnswer>
export type ErrorAnswer = z.infer<typeof errorAnswer> &
  Partial<Pick<z.infer<typeof invalidKeyAnswer>, 'reason' | 'index'>>
export type RelayErrorAnswer = z.infer<typeof relayErrorAnswer>

/** The bodies of 200 answers, by their names in the OpenAPI document. */
export interface Answers {
  Key: KeyAnswer
  Slot: SlotAnswer
  SlotWithKey: z.infer<typeof slotWithKey>
  ChangedSlot: ChangedSlotAnswer
  AssignedSlot: AssignedAnswer
  ListedSlot: ListedAnswer
  SlotList: ListAnswer
  VerifiedSlot: VerifyAnswer
  SavedKey: z.infer<typeof savedAnswer>
  SavedSlot: z.infer<typeof savedSlotAnswer>
  DeletedKey: z.infer<typeof deletedAnswer>
  DeletedSlot: z.infer<typeof deletedSlotAnswer>
  Config: ConfigAnswer
  Health: HealthAnswer
  Event: EventAnswer
  Events: EventsAnswer
  User: UserAnswer
  AddedUser: z.infer<typeof addedUserAnswer>
  RemovedUser: z.infer<typeof removedUserAnswer>
  Users: UsersAnswer
  MemberSlot: MemberSlot
  TeamSlot: TeamSlotAnswer
  TeamSlotList: z.infer<typeof teamListAnswer>
  SavedTeamSlot: z.infer<typeof savedTeamSlotAnswer>
  DeletedTeamSlot: z.infer<typeof deletedTeamSlotAnswer>
  TeamEvents: z.infer<typeof teamEventsAnswer>
  Team: TeamAnswer
  ChangedTeam: z.infer<typeof changedTeamAnswer>
  RemovedTeam: z.infer<typeof removedTeamAnswer>
  ExportLine: ExportLine
}
