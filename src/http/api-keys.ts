/** The routes of users and their API keys, as a Hono app that any other app can mount. */

import type { Context, MiddlewareHandler } from 'hono'
import { HonoBase as Hono } from 'hono/hono-base'
import type { RequestIdVariables } from 'hono/request-id'
import { PatternRouter } from 'hono/router/pattern-router'
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
import type { Routes } from '../callers/client.ts'
import { authorize } from '../door/authorize.ts'
import { VaultError } from '../errors.ts'
import { assignKey } from '../keys/assign.ts'
import { saveSlot } from '../keys/save.ts'
import { deleteSlot, listSlots, readSlot, setLimits } from '../keys/slots.ts'
import { isOperator, OWNER, type SlotOwner } from '../keys/stored-key.ts'
import { exportEvents, listEvents } from '../keys/trail.ts'
import { exportUser } from '../keys/user-export.ts'
import { addUser, DEFAULT_USERS, listUsers, readUser, removeUser } from '../keys/users.ts'
import { verifySlot } from '../keys/verify.ts'
import { requireRate } from '../rate.ts'
import { openService } from '../service.ts'
import { namesIn } from '../shared/json.ts'
import {
  ROUTES,
  type AnswerOf,
  type BodyOf,
  type GuardedOperation,
  type QueryOf,
  type Route,
  type Table,
} from '../shared/routes.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { describeEvent } from '../store/events.ts'
import type { Condition } from '../store/slot-check.ts'
import { readBody } from './bodies.ts'
import { answerError, exportAnswer, tagAnswer } from './answer.ts'
import { tokenHeaders } from './front.ts'
import { isAsked, rangeOf, readPrecondition, readQuery, requireEncoded } from './parameters.ts'

interface ApiKeysEnv {
  Bindings: Env
  Variables: Partial<RequestIdVariables> & {
    /** The server that manages users, for the request's log line. */
    server?: string
  }
}

/** A request that has passed the checks of its route. */
interface Asked<Id extends GuardedOperation> {
  /** Whose slots, and who works on them. The route of all users has no user id. */
  owner: SlotOwner
  /** The name in the path. The plain route is the slot `default`. */
  slot: string
  query: QueryOf<Id>
  body: BodyOf<Id>
  /** What its `If-Match` or `If-None-Match` asks of the slot; null if nothing. */
  condition: Condition | null
}

/** Does the work of each operation. It returns the body of the answer, or a Response of its own. */
type Handlers = {
  [Id in GuardedOperation]: (
    asked: Asked<Id>,
    c: Context<ApiKeysEnv>,
  ) => Promise<AnswerOf<Id> | Response>
}

const handlers: Handlers = {
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
    return { user_id: owner.userId, api_keys: slots.map(describeListedSlot) }
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
    const { max_uses_per_member: maxUsesPerMember } = body
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
    return { user_id: owner.userId, events: events.map(describeEvent), next_cursor: next }
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
    user_id: userId,
    created: await addUser(service, userId),
  }),

  getUser: async ({ owner }) => describeUser(await readUser(owner)),

  removeUser: async ({ owner: { service, userId } }) => ({
    user_id: userId,
    deleted: await removeUser(service, userId),
  }),
}

/** Counts an export. Those of a server do not use up the user's. @throws VaultError `rate_limited` */
async function requireExportRate({ service, userId, by }: SlotOwner): Promise<void> {
  const key = by?.kind === 'operator' ? `${by.name} ${userId}` : userId
  await requireRate(service.settings.exportLimiter, key)
}

/** Refuses a valid body that only the owner may send. @throws VaultError `not_granted` */
function requireOwner(owner: SlotOwner): void {
  if (isOperator(owner)) throw new VaultError('not_granted')
}

/** Serves an operation: its checks in the order of the contract, then its work. */
function serve<Id extends GuardedOperation>(id: Id, work: Handlers[Id] = handlers[id]) {
  const { query, body } = ROUTES[id]
  const { tokens, tags }: Route = ROUTES[id]
  return async (c: Context<ApiKeysEnv>): Promise<Response> => {
    const service = await openService(c.env)
    const sent = tokenHeaders(c, service.settings.tokenHeader)
    const userId = c.req.param('userId')
    const server = await authorize(service, sent, { userId, tokens })
    const by = server === null ? OWNER : ({ kind: 'operator', name: server } as const)
    if (server !== null) {
      c.set('server', server)
      requireEncoded(c.req)
    }
    const { requestId } = c.var
    const answer = await work(
      {
        owner: { service, userId: userId ?? '', requestId, by },
        slot: c.req.param('provider') ?? DEFAULT_SLOT,
        query: readQuery<Table[Id]['query']>(query, c.req),
        body: await readBody<Table[Id]['body']>(body, c.req),
        condition: tags === 'requires' || tags === 'both' ? readPrecondition(c) : null,
      },
      c,
    )
    if (answer instanceof Response) return answer
    if (tags === 'answers' || tags === 'both') tagAnswer(c, answer)
    return c.json(answer)
  }
}

/** The routes of a user as another app mounts them, without `/api`. */
type OwnRoutes = {
  [
    Path in keyof Routes as Path extends `/api${infer Rest extends `/users${string}`}`
      ? Rest
      : never
  ]: Routes[Path]
}

/** The routes that need a token. They throw their errors. */
export const apiKeyRoutes = new Hono<ApiKeysEnv, OwnRoutes>({ router: new PatternRouter() })

for (const id of namesIn(handlers)) {
  const { method, path } = ROUTES[id]
  apiKeyRoutes.on(method, path.slice('/api'.length), serve(id))
}

/** Keeps answers about keys out of every cache. */
export const noStore: MiddlewareHandler = async (c, next) => {
  c.header('Cache-Control', 'no-store')
  await next()
}

/** The same routes for another app. They answer and log their own errors, and stay out of caches. */
export const apiKeys = /* @__PURE__ */ forAnotherApp()

/** Is called as pure, so that the Worker of the vault itself leaves it out. */
function forAnotherApp() {
  return new Hono<ApiKeysEnv>({ router: new PatternRouter() })
    .onError((error, c) => answerError(error, c))
    .use('/users/*', noStore)
    .route('/', apiKeyRoutes)
}
