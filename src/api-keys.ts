/** The routes of a user's own API key: a Hono app of their own, to be mounted in any other. */

import type { Context } from 'hono'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import type { RequestIdVariables } from 'hono/request-id'
import { TrieRouter } from 'hono/router/trie-router'
import { onlyYourOwn } from './auth.ts'
import { ApiError, errorBody, type ErrorCode } from './errors.ts'
import { limitBody, requireJson, requireKey } from './key-body.ts'
import { errorFields, log } from './log.ts'
import { deleteKey, openVault, readKey, saveKey, type KeySummary } from './vault.ts'

const PROVIDER = 'default'

interface ApiKeysEnv {
  Bindings: Env
  Variables: Partial<RequestIdVariables>
}

/** No cache keeps what is said of a key. */
export const noStore = createMiddleware(async (c, next) => {
  c.header('Cache-Control', 'no-store')
  await next()
})

/** GET, PUT and DELETE of `/users/:userId/api-key`; errors are answered and logged here. */
export const apiKeys = new Hono<ApiKeysEnv>({ router: new TrieRouter() })
  .onError(answerError)
  .use('/users/:userId/api-key', noStore)
  .get('/users/:userId/api-key', onlyYourOwn('access'), async (c) => {
    const { userId, requestId } = c.var
    const key = await readKey(await openVault(c.env, requestId), { userId, provider: PROVIDER })
    if (key === null) return c.json({ has_api_key: false })
    if (key === 'unreadable') return c.json({ has_api_key: false, error: 'Invalid encrypted key' })
    return c.json({ has_api_key: true, ...keyFields(key) })
  })
  .put(
    '/users/:userId/api-key',
    onlyYourOwn('update'),
    limitBody,
    requireJson,
    requireKey,
    async (c) => {
      const { userId } = c.var
      const slot = { userId, provider: PROVIDER }
      const key = await saveKey(await openVault(c.env), slot, c.req.valid('json').api_key)
      return c.json({
        message: 'API key updated successfully',
        user_id: userId,
        user: { id: userId, has_api_key: true, ...keyFields(key) },
      })
    },
  )
  .delete('/users/:userId/api-key', onlyYourOwn('delete'), async (c) => {
    const { userId } = c.var
    await deleteKey(await openVault(c.env), { userId, provider: PROVIDER })
    return c.json({
      message: 'API key deleted successfully',
      user_id: userId,
      user: { id: userId, has_api_key: false, api_key_preview: null, api_key_updated_at: null },
    })
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

function keyFields({ preview, updatedAt }: KeySummary) {
  return { api_key_preview: preview, api_key_updated_at: updatedAt }
}
