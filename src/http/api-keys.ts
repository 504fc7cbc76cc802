/** The routes of a user's own API keys: a Hono app of their own, to be mounted in any other. */

import { zValidator } from '@hono/zod-validator'
import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import type { RequestIdVariables } from 'hono/request-id'
import { TrieRouter } from 'hono/router/trie-router'
import * as z from 'zod/mini'
import { onlyYourOwn } from '../tokens/access-token.ts'
import { ApiError, errorBody, type ErrorCode } from '../errors.ts'
import { limitBody, requireJson, requireKey } from './key-body.ts'
import {
  deleteSlot,
  listSlots,
  readSlot,
  saveSlot,
  verifySlot,
  type ListedSlot,
  type SlotOwner,
} from '../keys/slots.ts'
import { errorFields, log } from '../log.ts'
import { DEFAULT_SLOT } from '../providers/provider.ts'
import type { KeySummary, StoredKey } from '../store/api-keys.ts'

interface ApiKeysEnv {
  Bindings: Env
  Variables: Partial<RequestIdVariables>
}

/** No cache keeps what is said of a key. */
export const noStore = createMiddleware(async (c, next) => {
  c.header('Cache-Control', 'no-store')
  await next()
})

const verifyQuery = z.object({ verify: z.optional(z.enum(['true', 'false'])) })

const requireQuery = zValidator('query', verifyQuery, (result) => {
  if (result.success) return
  throw new ApiError('invalid_query', { detail: '"verify" must be true or false.' })
})

/** The plain route's slot, and each provider's; errors are answered and logged here. */
export const apiKeys = new Hono<ApiKeysEnv>({ router: new TrieRouter() })
  .onError(answerError)
  .use('/users/:userId/api-key', noStore)
  .use('/users/:userId/api-keys/*', noStore)
  .get('/users/:userId/api-key', onlyYourOwn('access'), async (c) =>
    c.json(keyAnswer(await readSlot(ownerOf(c), DEFAULT_SLOT))),
  )
  .put(
    '/users/:userId/api-key',
    onlyYourOwn('update'),
    limitBody,
    requireJson,
    requireKey,
    async (c) => {
      const { api_key: apiKey } = c.req.valid('json')
      const key = await saveSlot(ownerOf(c), DEFAULT_SLOT, { apiKey, verify: false })
      return c.json(savedAnswer(c.var.userId, keyFields(key)))
    },
  )
  .delete('/users/:userId/api-key', onlyYourOwn('delete'), async (c) => {
    await deleteSlot(ownerOf(c), DEFAULT_SLOT)
    return c.json(deletedAnswer(c.var.userId, {}))
  })
  .get('/users/:userId/api-keys', onlyYourOwn('access'), async (c) => {
    const slots = await listSlots(ownerOf(c))
    return c.json({ user_id: c.var.userId, api_keys: slots.map(listedAnswer) })
  })
  .get('/users/:userId/api-keys/:provider', onlyYourOwn('access'), async (c) => {
    const provider = c.req.param('provider')
    return c.json(slotAnswer(provider, await readSlot(ownerOf(c), provider)))
  })
  .put(
    '/users/:userId/api-keys/:provider',
    onlyYourOwn('update'),
    requireQuery,
    limitBody,
    requireJson,
    requireKey,
    async (c) => {
      const provider = c.req.param('provider')
      const { verify: asked } = c.req.valid('query')
      const { api_key: apiKey } = c.req.valid('json')
      const verify = asked === undefined ? undefined : asked === 'true'
      const key = await saveSlot(ownerOf(c), provider, { apiKey, verify })
      return c.json(savedAnswer(c.var.userId, { provider, ...slotFields(key) }))
    },
  )
  .delete('/users/:userId/api-keys/:provider', onlyYourOwn('delete'), async (c) => {
    const provider = c.req.param('provider')
    await deleteSlot(ownerOf(c), provider)
    const noKey = { provider, status: null, last_used_at: null }
    return c.json(deletedAnswer(c.var.userId, noKey))
  })
  .post('/users/:userId/api-keys/:provider/verify', onlyYourOwn('update'), async (c) => {
    const provider = c.req.param('provider')
    const { key, verdict } = await verifySlot(ownerOf(c), provider)
    return c.json({ ...slotAnswer(provider, key), verdict })
  })

/** What an answer leaves for the app's log. */
export interface AnswerVariables {
  errorCode?: ErrorCode
}

/** Answers `error` as the contract says; a fault of the service is logged, and told in no word. */
export function answerError(error: unknown, c: Context): Response {
  const refusal = ApiError.from(error)
  const { code, status, headers, cause = refusal } = refusal
  const request_id: string | undefined = c.get('requestId')
  c.set('errorCode', code)
  if (status >= 500) log('error', 'error', { request_id, code, error: errorFields(cause) })
  return c.json(errorBody(refusal, request_id), status, headers)
}

interface OwnerContext {
  env: Env
  var: { userId: string; requestId?: string }
}

function ownerOf({ env, var: { userId, requestId } }: OwnerContext): SlotOwner {
  return { env, userId, requestId }
}

function keyAnswer(key: StoredKey | null) {
  if (key === null) return { has_api_key: false }
  if (key === 'unreadable') return { has_api_key: false, error: 'Invalid encrypted key' }
  return { has_api_key: true, ...keyFields(key) }
}

function slotAnswer(provider: string, key: StoredKey | null) {
  const status = key === null || key === 'unreadable' ? {} : slotFields(key)
  return { provider, ...keyAnswer(key), ...status }
}

function listedAnswer({ name, provider, key }: ListedSlot) {
  const { label = null, key_page = null, key_prefixes = [] } = provider ?? {}
  return { label, key_page, key_prefixes, ...slotAnswer(name, key) }
}

function savedAnswer<T extends object>(userId: string, fields: T) {
  return {
    message: 'API key updated successfully',
    user_id: userId,
    user: { id: userId, has_api_key: true, ...fields },
  }
}

function deletedAnswer<T extends object>(userId: string, fields: T) {
  const noKey = { has_api_key: false, api_key_preview: null, api_key_updated_at: null }
  return {
    message: 'API key deleted successfully',
    user_id: userId,
    user: { id: userId, ...noKey, ...fields },
  }
}

function keyFields({ preview, updatedAt }: KeySummary) {
  return { api_key_preview: preview, api_key_updated_at: updatedAt }
}

function slotFields(key: KeySummary) {
  return { ...keyFields(key), status: key.status, last_used_at: key.lastUsedAt }
}
