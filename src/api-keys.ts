/** The routes of a user's own API key: a Hono app of their own, to be mounted in any other. */

import type { Context } from 'hono'
import { HonoBase as Hono } from 'hono/hono-base'
import { TrieRouter } from 'hono/router/trie-router'
import { onlyYourOwn } from './auth.ts'
import { ApiError, errorBody, type ErrorCode } from './errors.ts'
import { limitBody, requireJson, requireKey } from './key-body.ts'
import { deleteKey, openVault, readKey, saveKey, type KeySummary } from './vault.ts'

const PROVIDER = 'default'

/** GET, PUT and DELETE of `/users/:userId/api-key`. */
export const apiKeys = new Hono<{ Bindings: Env }>({ router: new TrieRouter() })
  .onError(answerError)
  .get('/users/:userId/api-key', onlyYourOwn('access'), async (c) => {
    const key = await readKey(await openVault(c.env), { userId: c.var.userId, provider: PROVIDER })
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

/** Answers `error` as the contract says; what is not an ApiError is a 500 without a word of it. */
export function answerError(error: unknown, c: Context): Response {
  const refusal = ApiError.from(error)
  c.set('errorCode', refusal.code)
  return c.json(errorBody(refusal, c.get('requestId')), refusal.status, refusal.headers)
}

function keyFields({ preview, updatedAt }: KeySummary) {
  return { api_key_preview: preview, api_key_updated_at: updatedAt }
}
