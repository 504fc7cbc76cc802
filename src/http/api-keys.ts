/** The routes of a user's own API keys, as a Hono app that any other app can mount. */

import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import type { RequestIdVariables } from 'hono/request-id'
import { RegExpRouter } from 'hono/router/reg-exp-router'
import { assignKey } from '../keys/assign.ts'
import { deleteSlot, listSlots, readSlot, saveSlot } from '../keys/slots.ts'
import type { SlotOwner, StoredKey } from '../keys/stored-key.ts'
import { verifySlot } from '../keys/verify.ts'
import type { AssignedAnswer, ListAnswer, VerifyAnswer } from '../shared/answers.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import {
  deletedAnswer,
  keyAnswer,
  keyFields,
  listedAnswer,
  savedAnswer,
  slotAnswer,
  slotFields,
} from './answers.ts'
import { answerError } from './error-answer.ts'
import { requireKey, requireSlotKey } from './key-body.ts'
import { onlyYourOwn, type OwnerVariables } from './only-your-own.ts'
import { entityTag, readPrecondition } from './precondition.ts'
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

/** The routes of the default slot and of the providers' slots. They throw their errors. */
export const apiKeyRoutes = new Hono<ApiKeysEnv>({ router: new RegExpRouter() })
  .get('/users/:userId/api-key', onlyYourOwn, async (c) => {
    const key = await readSlot(ownerOf(c), DEFAULT_SLOT)
    tagKey(c, key)
    return c.json(keyAnswer(key))
  })
  .put('/users/:userId/api-key', onlyYourOwn, requireKey, async (c) => {
    const { api_key: apiKey, expires_at: expiresAt } = c.req.valid('json')
    const key = await saveSlot(ownerOf(c), DEFAULT_SLOT, {
      apiKey,
      expiresAt,
      verify: false,
      condition: readPrecondition(c),
    })
    c.header('ETag', entityTag(key.updatedAt))
    return c.json(savedAnswer(c.get('userId'), keyFields(key)))
  })
  .delete('/users/:userId/api-key', onlyYourOwn, async (c) => {
    await deleteSlot(ownerOf(c), DEFAULT_SLOT, readPrecondition(c))
    return c.json(deletedAnswer(c.get('userId'), {}))
  })
  .get('/users/:userId/api-keys', onlyYourOwn, async (c) => {
    const slots = await listSlots(ownerOf(c))
    const answer: ListAnswer = { user_id: c.get('userId'), api_keys: slots.map(listedAnswer) }
    return c.json(answer)
  })
  .get('/users/:userId/api-keys/:provider', onlyYourOwn, async (c) => {
    const provider = c.req.param('provider')
    const key = await readSlot(ownerOf(c), provider)
    tagKey(c, key)
    return c.json(slotAnswer(provider, key))
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
      c.header('ETag', entityTag(key.updatedAt))
      return c.json(savedAnswer(c.get('userId'), { provider, ...slotFields(key) }))
    },
  )
  .delete('/users/:userId/api-keys/:provider', onlyYourOwn, async (c) => {
    const provider = c.req.param('provider')
    await deleteSlot(ownerOf(c), provider, readPrecondition(c))
    const noKey = { provider, status: null, last_used_at: null, last_verified_at: null }
    return c.json(deletedAnswer(c.get('userId'), noKey))
  })
  .post('/users/:userId/api-keys/:provider/assign', onlyYourOwn, requireQuery, async (c) => {
    const provider = c.req.param('provider')
    const key = await assignKey(ownerOf(c), provider, isAsked(c.req.valid('query')))
    const answer: AssignedAnswer = { provider, has_api_key: true, ...slotFields(key) }
    return c.json(answer)
  })
  .post('/users/:userId/api-keys/:provider/verify', onlyYourOwn, async (c) => {
    const provider = c.req.param('provider')
    const { key, verdict } = await verifySlot(ownerOf(c), provider)
    const answer: VerifyAnswer = { ...slotAnswer(provider, key), verdict }
    return c.json(answer)
  })

/** Tags the answer with the version of its key, also of one that does not open. */
function tagKey(c: Context, key: StoredKey): void {
  if (key.state !== 'empty') c.header('ETag', entityTag(key.row.updatedAt))
}

function ownerOf(c: Context<OwnerEnv>): SlotOwner {
  return { service: c.get('service'), userId: c.get('userId'), requestId: c.get('requestId') }
}

/** The same routes for another app. They answer and log their own errors, and stay out of caches. */
export const apiKeys = new Hono<ApiKeysEnv>({ router: new RegExpRouter() })
  .onError((error, c) => answerError(error, c))
  .use('/users/:userId/api-key', noStore)
  .use('/users/:userId/api-keys/*', noStore)
  .route('/', apiKeyRoutes)
