/**
 * What every answer of the API has, and its log line. The headers are set before the answer is made: Hono
 * copies an answer whose headers are set later, which took 60 µs of a 401.
 */

import type { Context } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import type { RequestIdVariables } from 'hono/request-id'
import { routePath } from 'hono/route'
import { log } from '../log.ts'
import { openFront } from '../service.ts'
import type { AnswerVariables } from './error-answer.ts'

/** The environment of the whole app. */
export interface AppEnv {
  Bindings: Env
  Variables: RequestIdVariables & AnswerVariables
}

/** Names the request, and logs it by its route, so that no id or query is in the log. */
export const logRequests = createMiddleware<AppEnv>(async (c, next) => {
  const startedAt = Date.now()
  const request_id = chooseRequestId(c)
  c.set('requestId', request_id)
  c.header('X-Request-Id', request_id)
  await next()
  const [method, route, { status }] = [c.req.method, routePath(c, -1), c.res]
  const code = c.get('errorCode') ?? null
  log('info', 'request', {
    request_id,
    method,
    route,
    status,
    code,
    duration_ms: Date.now() - startedAt,
  })
})

/** Prefers Cloudflare's id: a client can choose its own freely. Each has to be safe in a log line. */
function chooseRequestId({ req }: Context): string {
  const sent = [req.header('cf-ray'), req.header('X-Request-Id')]
  return sent.find((id) => id !== undefined && /^[\w=-]{1,255}$/.test(id)) ?? crypto.randomUUID()
}

/**
 * Of Hono's secureHeaders those that matter for answers that are data:
 * https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html
 */
const HEADERS = Object.entries({
  'Access-Control-Expose-Headers': 'WWW-Authenticate,Retry-After,X-Request-Id',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=15552000; includeSubDomains',
  Vary: 'Origin',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
})

/** Security headers, and the frontend's origin if it may call. */
export const apiHeaders = createMiddleware<AppEnv>(async (c, next) => {
  for (const [name, value] of HEADERS) c.header(name, value)
  const origin = allowOrigin(c.req.header('Origin'), c)
  if (origin !== null) c.header('Access-Control-Allow-Origin', origin)
  return c.req.method === 'OPTIONS' ? preflight(c, next) : next()
})

/** Tracing and CSRF libraries add headers of their own: without `allowHeaders`, all are allowed. */
const preflight = cors({
  origin: allowOrigin,
  allowMethods: ['GET', 'PUT', 'DELETE', 'POST'],
  maxAge: 7200,
})

function allowOrigin(origin: string | undefined, c: Context<AppEnv>): string | null {
  return origin !== undefined && openFront(c.env).corsOrigins.includes(origin) ? origin : null
}
