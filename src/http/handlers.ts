/** What each operation of a user does, once its request has passed the checks. */

import type { Context } from 'hono'
import type { RequestIdVariables } from 'hono/request-id'
import { VaultError } from '../errors.ts'
import {
  confirmDeletion,
  confirmSave,
  describeKey,
  describeKeyFields,
  describeListedSlot,
  describeSavedFields,
  describeSlot,
  describeSlotFields,
  describeUser,
  describeUsers,
} from '../keys/answer-bodies.ts'
import { arrangeKey } from '../keys/arrange.ts'
import { assignKey } from '../keys/assign.ts'
import { saveSlot } from '../keys/save.ts'
import { deleteSlot, listSlots, readSlot, setLimits } from '../keys/slots.ts'
import { isOperator, type SlotOwner } from '../keys/stored-key.ts'
import { exportEvents, listEvents } from '../keys/trail.ts'
import { exportUser } from '../keys/user-export.ts'
import { addUser, DEFAULT_USERS, listUsers, readUser, removeUser } from '../keys/users.ts'
import { verifySlot } from '../keys/verify.ts'
import { requireRate } from '../rate.ts'
import { readOwner } from '../shared/owner.ts'
import type {
  AnswerOf,
  BodyOf,
  GuardedOperation,
  QueryOf,
  TeamOperation,
} from '../shared/routes.ts'
import { describeEvent } from '../store/events.ts'
import type { Condition } from '../store/slot-check.ts'
import { exportAnswer } from './answer.ts'
import { isAsked, rangeOf } from './parameters.ts'

export interface ApiKeysEnv {
  Bindings: Env
  Variables: Partial<RequestIdVariables> & {
    /** The server that manages users, for the request's log line. */
    server?: string
  }
}

/** A request that has passed the checks of its route. */
export interface Asked<Query, Body> {
  /** Whose slots, and who works on them. The route of all users has no user id. */
  owner: SlotOwner
  /** The name in the path. The plain route is the slot `default`. */
  slot: string
  query: Query
  body: Body
  /** What its `If-Match` or `If-None-Match` asks of the slot; null if nothing. */
  condition: Condition | null
}

/** Does the work of each operation. It returns the body of the answer, or a Response of its own. */
export type Handlers<Id extends GuardedOperation = GuardedOperation> = {
  [Name in Id]: (
    asked: Asked<QueryOf<Name>, BodyOf<Name>>,
    c: Context<ApiKeysEnv>,
  ) => Promise<AnswerOf<Name> | Response>
}

export const userHandlers = {
  getKey: async ({ owner, slot }) => describeKey(await readSlot(owner, slot)),

  saveKey: async ({ owner, slot, body, condition }) => {
    const { api_key: apiKey, expires_at: expiresAt } = body
    const key = await saveSlot(owner, slot, { apiKey, expiresAt, verify: false, condition })
    return confirmSave(owner.userId, describeKeyFields(key))
  },

  deleteKey: async ({ owner, slot, condition }) => {
    await deleteSlot(owner, slot, condition)
    return confirmDeletion(owner.userId, {})
  },

  listSlots: async ({ owner }) => {
    const slots = await listSlots(owner)
    return { user_id: readOwner(owner.userId).id, api_keys: slots.map(describeListedSlot) }
  },

  getSlot: async ({ owner, slot }) => describeSlot(slot, await readSlot(owner, slot)),

  saveSlot: async ({ owner, slot, query, body, condition }) => {
    const { api_key: apiKey, base_url: baseUrl, expires_at: expiresAt } = body
    if (baseUrl !== undefined) requireOwner(owner)
    const verify = isAsked(query)
    const key = await saveSlot(owner, slot, { apiKey, baseUrl, expiresAt, verify, condition })
    return confirmSave(owner.userId, { provider: slot, ...describeSavedFields(key) })
  },

  deleteSlot: async ({ owner, slot, condition }) => {
    await deleteSlot(owner, slot, condition)
    const noKey = { status: null, last_used_at: null, last_verified_at: null }
    return confirmDeletion(owner.userId, { provider: slot, ...noKey })
  },

  setLimits: async ({ owner, slot, body, condition }) => {
    const { paused: isPaused, callers, max_uses: maxUses, expires_at: expiresAt } = body
    const { max_uses_per_member: maxUsesPerMember, label, position } = body
    if (label !== undefined || position !== undefined) {
      requireOwner(owner)
      const { name, key } = await arrangeKey(owner, slot, { label, position, condition })
      return describeSlot(name, key)
    }
    if (isPaused !== true || Object.keys(body).length > 1) requireOwner(owner)
    const limits = { isPaused, callers, maxUses, maxUsesPerMember, expiresAt }
    return describeSlot(slot, await setLimits(owner, slot, { ...limits, condition }))
  },

  assignKey: async ({ owner, slot, query }) => {
    const key = await assignKey(owner, slot, isAsked(query))
    return { provider: slot, has_api_key: true, ...describeSlotFields(key) }
  },

  verifySlot: async ({ owner, slot }) => {
    const { key, verdict } = await verifySlot(owner, slot)
    return { ...describeSlot(slot, key), verdict }
  },

  listEvents: async ({ owner, query }, c) => {
    if (query.format === 'ndjson') {
      await requireExportRate(owner)
      return exportAnswer(c, 'api-key-events', exportEvents(owner, rangeOf(query)))
    }
    const { events, next } = await listEvents(owner, rangeOf(query))
    return {
      user_id: readOwner(owner.userId).id,
      events: events.map(describeEvent),
      next_cursor: next,
    }
  },

  exportUser: async ({ owner, query }, c) => {
    await requireExportRate(owner)
    return exportAnswer(c, 'user', exportUser(owner, query.cursor))
  },

  listUsers: async ({ owner, query }) => {
    const limit = Number(query.limit ?? DEFAULT_USERS)
    return describeUsers(await listUsers(owner.service, { ...query, limit }))
  },

  addUser: async ({ owner: { service, userId } }) => ({
    user_id: readOwner(userId).id,
    created: await addUser(service, userId),
  }),

  getUser: async ({ owner }) => describeUser(await readUser(owner)),

  removeUser: async ({ owner: { service, userId } }) => ({
    user_id: readOwner(userId).id,
    deleted: await removeUser(service, userId),
  }),
} satisfies Handlers<Exclude<GuardedOperation, TeamOperation>>

/** Counts an export. Exports by a server do not use up the user's. @throws VaultError `rate_limited` */
async function requireExportRate({ service, userId, member, by }: SlotOwner): Promise<void> {
  const key = by?.kind === 'operator' ? `${by.name} ${userId}` : (member ?? userId)
  await requireRate(service.settings.exportLimiter, key)
}

/** Refuses a valid body that only the owner may send. @throws VaultError `not_granted` */
function requireOwner(owner: SlotOwner): void {
  if (isOperator(owner)) throw new VaultError('not_granted')
}
