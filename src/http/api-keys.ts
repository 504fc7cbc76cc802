/** The routes of a user's own API keys, as a Hono app that any other app can mount. */

import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import type { RequestIdVariables } from 'hono/request-id'
import { PatternRouter } from 'hono/router/pattern-router'
import { assignKey } from '../keys/assign.ts'
import { requireRate } from '../keys/rate.ts'
import { saveSlot } from '../keys/save.ts'
import { deleteSlot, listSlots, readSlot, setLimits } from '../keys/slots.ts'
import type { SlotOwner, StoredKey } from '../keys/stored-key.ts'
import { exportEvents, listEvents } from '../keys/trail.ts'
import { verifySlot } from '../keys/verify.ts'
import type { AssignedAnswer, EventsAnswer, ListAnswer, VerifyAnswer } from '../shared/answers.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { describeEvent } from '../store/events.ts'
import { tagOf } from '../store/slot-check.ts'
import {
  confirmDeletion,
  entityTag,
  describeKey,
  describeKeyFields,
  describeListedSlot,
  confirmSave,
  describeSavedFields,
  describeSlot,
  describeSlotFields,
} from '../answers.ts'
import { answerError } from './error-answer.ts'
import { readEventsQuery, requireEventsQuery, type AskedEvents } from './events-query.ts'
import { exportAnswer } from './export.ts'
import { requireKey, requireSlotKey } from './key-body.ts'
import { requireLimits } from './limits-body.ts'
import { onlyYourOwn, type OwnerVariables } from './only-your-own.ts'
import { readPrecondition } from './precondition.ts'
import { isAsked, requireQuery } from './verify-query.ts'

interface ApiKeysEnv {
  Bindings: Env
  Variables: Partial<RequestIdVariables>
}

interface OwnerEnv {
  Bindings: Env
  Variables: ApiKeysEnv['Variables'] & OwnerVariables
}

/** Keeps answers about keys out of every cache. */
export const noStore = createMiddleware(async (c, next) => {
  c.header('Cache-Control', 'no-store')
  await next()
})

/** Answers with an export if the query asks for NDJSON. A middleware, so that the route has one type of answer. */
const exportIfAsked = createMiddleware<OwnerEnv, string, { out: { query: AskedEvents } }>(
  async (c, next) => {
    const query = c.req.valid('query')
    if (query.format !== 'ndjson') return next()
    await requireRate(c.get('service').settings.exportLimiter, c.get('userId'))
    return exportAnswer(c, exportEvents(ownerOf(c), readEventsQuery(query)))
  },
)

/** The routes of the default slot and of the providers' slots. They throw their errors. */
export const apiKeyRoutes = new Hono<ApiKeysEnv>({ router: new PatternRouter() })
  .get('/users/:userId/api-key', onlyYourOwn, async (c) => {
    const key = await readSlot(ownerOf(c), DEFAULT_SLOT)
    tagKey(c, key)
    return c.json(describeKey(key))
  })
  .put('/users/:userId/api-key', onlyYourOwn, requireKey, async (c) => {
    const { api_key: apiKey, expires_at: expiresAt } = c.req.valid('json')
    const key = await saveSlot(ownerOf(c), DEFAULT_SLOT, {
      apiKey,
      expiresAt,
      verify: false,
      condition: readPrecondition(c),
    })
    c.header('ETag', entityTag(key.tag))
    return c.json(confirmSave(c.get('userId'), describeKeyFields(key)))
  })
  .delete('/users/:userId/api-key', onlyYourOwn, async (c) => {
    await deleteSlot(ownerOf(c), DEFAULT_SLOT, readPrecondition(c))
    return c.json(confirmDeletion(c.get('userId'), {}))
  })
  .get('/users/:userId/api-keys', onlyYourOwn, async (c) => {
    const slots = await listSlots(ownerOf(c))
    const answer: ListAnswer = { user_id: c.get('userId'), api_keys: slots.map(describeListedSlot) }
    return c.json(answer)
  })
  .get('/users/:userId/api-keys/:provider', onlyYourOwn, async (c) => {
    const provider = c.req.param('provider')
    const key = await readSlot(ownerOf(c), provider)
    tagKey(c, key)
    return c.json(describeSlot(provider, key))
  })
  .put(
    '/users/:userId/api-keys/:provider',
    onlyYourOwn,
    requireQuery,
    requireSlotKey,
    async (c) => {
      const provider = c.req.param('provider')
      const { api_key: apiKey, base_url: baseUrl, expires_at: expiresAt } = c.req.valid('json')
      const verify = isAsked(c.req.valid('query'))
      const condition = readPrecondition(c)
      const key = await saveSlot(ownerOf(c), provider, {
        apiKey,
        baseUrl,
        expiresAt,
        verify,
        condition,
      })
      c.header('ETag', entityTag(key.tag))
      return c.json(confirmSave(c.get('userId'), { provider, ...describeSavedFields(key) }))
    },
  )
  .delete('/users/:userId/api-keys/:provider', onlyYourOwn, async (c) => {
    const provider = c.req.param('provider')
    await deleteSlot(ownerOf(c), provider, readPrecondition(c))
    const noKey = { provider, status: null, last_used_at: null, last_verified_at: null }
    return c.json(confirmDeletion(c.get('userId'), noKey))
  })
  .patch('/users/:userId/api-keys/:provider', onlyYourOwn, requireLimits, async (c) => {
    const provider = c.req.param('provider')
    const { paused, callers, max_uses: maxUses, expires_at: expiresAt } = c.req.valid('json')
    const limits = { isPaused: paused, callers, maxUses, expiresAt }
    const key = await setLimits(ownerOf(c), provider, { ...limits, condition: readPrecondition(c) })
    tagKey(c, key)
    return c.json(describeSlot(provider, key))
  })
  .post('/users/:userId/api-keys/:provider/assign', onlyYourOwn, requireQuery, async (c) => {
    const provider = c.req.param('provider')
    const key = await assignKey(ownerOf(c), provider, isAsked(c.req.valid('query')))
    const answer: AssignedAnswer = { provider, has_api_key: true, ...describeSlotFields(key) }
    return c.json(answer)
  })
  .post('/users/:userId/api-keys/:provider/verify', onlyYourOwn, async (c) => {
    const provider = c.req.param('provider')
    const { key, verdict } = await verifySlot(ownerOf(c), provider)
    const answer: VerifyAnswer = { ...describeSlot(provider, key), verdict }
    return c.json(answer)
  })
  .get(
    '/users/:userId/api-key-events',
    onlyYourOwn,
    requireEventsQuery,
    exportIfAsked,
    async (c) => {
      const query = readEventsQuery(c.req.valid('query'))
      const { events, next } = await listEvents(ownerOf(c), query)
      const answer: EventsAnswer = {
        user_id: c.get('userId'),
        events: events.map(describeEvent),
        next_cursor: next,
      }
      return c.json(answer)
    },
  )

/** Tags the answer with the version of its key, also of one that does not open. */
function tagKey(c: Context, key: StoredKey): void {
  if (key.state !== 'empty') c.header('ETag', entityTag(tagOf(key.row)))
}

function ownerOf(c: Context<OwnerEnv>): SlotOwner {
  return { service: c.get('service'), userId: c.get('userId'), requestId: c.get('requestId') }
}

/** The same routes for another app. They answer and log their own errors, and stay out of caches. */
export const apiKeys = new Hono<ApiKeysEnv>({ router: new PatternRouter() })
  .onError((error, c) => answerError(error, c))
  .use('/users/:userId/api-key', noStore)
  .use('/users/:userId/api-keys/*', noStore)
  .use('/users/:userId/api-key-events', noStore)
  .route('/', apiKeyRoutes)
