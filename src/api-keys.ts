/** The routes of a user's own API key: a Hono app of their own, to be mounted in any other. */

import { zValidator } from '@hono/zod-validator'
import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import { TrieRouter } from 'hono/router/trie-router'
import * as z from 'zod/mini'
import { onlyYourOwn } from './auth.ts'
import { ApiError, errorBody, type ErrorCode } from './errors.ts'
import { deleteKey, openVault, readKey, saveKey, type KeySummary } from './vault.ts'

const MAX_BODY_BYTES = 16 * 1024
const MAX_KEY_LENGTH = 8_192
const PROVIDER = 'default'

/** What a preview or a password field puts in the place of characters, and no key holds. */
const MASK = /\.{3}|\*{3}|[…⋯•●∙·]/u

const apiKey = z
  .string({ error: ({ input }) => `api_key is ${nameType(input)}, not a string.` })
  .check(
    z.trim(),
    z.minLength(1, { error: 'api_key is empty.', abort: true }),
    z.maxLength(MAX_KEY_LENGTH, {
      error: `api_key is over ${MAX_KEY_LENGTH.toLocaleString('en')} characters.`,
      abort: true,
    }),
    z.refine((key) => !MASK.test(key), {
      error: 'api_key is a masked preview, not the key itself: paste the whole key.',
      abort: true,
    }),
    z.refine((key) => !/\s/.test(key), {
      error: ({ input }) => `api_key has white space inside, at ${locate(input, /\s/)}.`,
      abort: true,
    }),
    z.regex(/^[!-~]+$/, {
      error: ({ input }) =>
        `api_key has something else than printable ASCII, at ${locate(input, /[^!-~]/)}.`,
    }),
  )

const keyBody = z.object({ api_key: apiKey })

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
    bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuseTooLarge }),
    jsonBody(),
    zValidator('json', keyBody, (result) => {
      if (!result.success) throw refuseBody(result.data, result.error.issues[0]?.message)
    }),
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

function refuseTooLarge(): never {
  throw new ApiError('body_too_large', { detail: `The limit is ${MAX_BODY_BYTES} bytes.` })
}

/** Refuses a body that is not JSON before its content is looked at. */
function jsonBody() {
  return createMiddleware(async (c, next) => {
    if ((await c.req.arrayBuffer()).byteLength === 0) throw refuseBody(undefined)
    const mediaType = c.req.header('Content-Type')?.split(';')[0]?.trim() ?? ''
    if (!/^application\/([\w.-]+\+)?json$/i.test(mediaType)) {
      const detail = `${nameMediaType(mediaType)}; send Content-Type: application/json.`
      throw new ApiError('content_type_not_json', { detail })
    }
    // The error of JSON.parse quotes the body, so it goes nowhere.
    await c.req.json().catch(async () => {
      throw new ApiError('invalid_json', { detail: nameSyntaxFault(await c.req.text()) })
    })
    await next()
  })
}

function refuseBody(body: unknown, issue?: string): ApiError {
  if (isObject(body) && Object.hasOwn(body, 'api_key')) {
    return new ApiError('api_key_invalid', issue === undefined ? {} : { detail: issue })
  }
  const came = isObject(body) ? nameFields(Object.keys(body)) : `The body is ${nameType(body)}.`
  return new ApiError('api_key_missing', { detail: `${came} Send {"api_key": "…"}.` })
}

/** As with field names: what has a digit in it may be a key in the wrong place, and is not shown. */
function nameMediaType(mediaType: string): string {
  if (mediaType === '') return 'There is no Content-Type'
  const namable = /^[a-z]{1,16}\/[a-z.+-]{1,40}$/i.test(mediaType)
  return namable ? `Content-Type is ${mediaType}` : 'Content-Type is not a known one'
}

function nameSyntaxFault(text: string): string {
  return text === '[object Object]'
    ? 'The body is the text of a JavaScript object: pass the object through JSON.stringify.'
    : 'The body is not JSON: check its quotes, commas and braces.'
}

/** Names the fields that came; one that may be a key itself, in the wrong place, is only counted. */
function nameFields(fields: string[]): string {
  const named = fields.filter((field) => /^[A-Za-z_-]{1,32}$/.test(field)).slice(0, 10)
  const others = fields.length - named.length
  const parts = named.map((field) => `"${field}"`)
  if (others > 0) parts.push(`${others} not named here`)
  return parts.length > 0 ? `Fields that came: ${parts.join(', ')}.` : 'The body is {}.'
}

function nameType(value: unknown): string {
  if (value === undefined) return 'empty'
  if (value === null) return 'null'
  if (typeof value === 'string') return 'a string'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function locate(text: unknown, what: RegExp): string {
  return `character ${String(text).search(what) + 1}`
}
