/**
 * The headers and the log line of every API answer. Headers are collected before the answer exists. If they are
 * set later, Hono copies the answer, which took 60 µs of a 401.
 */

import type { Context, MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { RequestIdVariables } from 'hono/request-id'
import { routePath } from 'hono/route'
import { count } from '../counters.ts'
import { log } from '../log.ts'
import { SECURITY_HEADERS } from '../security-headers.ts'
import { openFront } from '../service.ts'
import { allowsOrigin } from '../shared/web-origin.ts'
import type { AnswerVariables } from './answer.ts'

/** The environment of the whole app. */
export interface AppEnv {
  Bindings: Env
  Variables: RequestIdVariables & AnswerVariables & { use?: Use; server?: string }
}

/** The use of a key through the relay, in its request's log line. */
interface Use {
  user_id: string
  caller: string | null
  /** Null for an unknown name. */
  provider: string | null
  /** What the provider answered; missing if it did not. */
  provider_status?: number
  key_source?: string | null
  condition?: string | null
}

/** Gives the request an id, and logs its route pattern: a path or a query would show user ids. */
export const logRequests: MiddlewareHandler<AppEnv> = async (c, next) => {
  const startedAt = Date.now()
  const request_id = chooseRequestId(c)
  c.set('requestId', request_id)
  c.set('answerHeaders', { 'X-Request-Id': request_id })
  await next()
  const [method, route, { status }] = [c.req.method, routePath(c, -1), c.res]
  const code = c.get('errorCode') ?? null
  const reason = c.get('errorReason')
  const duration_ms = Date.now() - startedAt
  const server = c.get('server')
  const use = server === undefined ? c.get('use') : { caller: server }
  const why = reason !== undefined && { reason }
  log('info', 'request', { request_id, method, route, status, code, duration_ms, ...why, ...use })
  const operation = `${method} ${route}`
  const { analytics } = openFront(c.env)
  count(analytics, { event: 'request', operation, code, status, duration_ms, ...use })
}

/** Prefers Cloudflare's id, since a client can send any id. Both must be safe in a log line. */
function chooseRequestId({ req }: Context): string {
  const sent = [req.header('cf-ray'), req.header('X-Request-Id')]
  return sent.find((id) => id !== undefined && /^[\w=-]{1,255}$/.test(id)) ?? crypto.randomUUID()
}

const HEADERS = {
  ...SECURITY_HEADERS,
  'Access-Control-Expose-Headers':
    'ETag,WWW-Authenticate,Retry-After,X-Request-Id,X-Should-Retry,X-Vault-Error',
  Vary: 'Origin',
}

// Some clients include credentials always. The vault reads no cookie.
const allowing = (origin: string) => ({
  'Access-Control-Allow-Origin': origin,
  'Access-Control-Allow-Credentials': 'true',
})

/** Sets the security headers, and allows the frontend's origin if it is in `CORS_ORIGINS`. */
export const apiHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  const origin = allowOrigin(c.req.header('Origin'), c)
  const headers = {
    ...c.get('answerHeaders'),
    ...HEADERS,
    ...(origin !== null && allowing(origin)),
  }
  c.set('answerHeaders', headers)
  if (c.req.method !== 'OPTIONS') return next()
  for (const [name, value] of Object.entries(headers)) c.header(name, value)
  return preflight(c, next)
}

/** Without `allowHeaders`, all headers are allowed: tracing and CSRF libraries add some. */
const preflight = cors({
  origin: allowOrigin,
  allowMethods: ['GET', 'PUT', 'DELETE', 'POST', 'PATCH'],
  maxAge: 7200,
})

/** The origin of the page that calls, if it may call. */
export function allowOrigin(origin: string | undefined, c: { env: Env }): string | null {
  return origin !== undefined && allowsOrigin(openFront(c.env).corsOrigins, origin) ? origin : null
}

/**
 * The headers in which a token may be. If a page of an origin that is not allowed caused the request, the header `name` and
 * the subprotocols do not count. A proxy such as Cloudflare Access adds the token to what any page sends, as a browser adds a
 * cookie, and CORS does not keep a page from opening a WebSocket.
 */
export function tokenHeaders(c: Called, name: string | null): Headers {
  const { headers } = c.req.raw
  const uncertain = ['Sec-WebSocket-Protocol', name ?? ''].filter(
    (one) => one !== '' && headers.has(one),
  )
  if (uncertain.length === 0 || !isForeign(c)) return headers
  const others = new Headers(headers)
  for (const one of uncertain) others.delete(one)
  return others
}

interface Called {
  env: Env
  req: { raw: Request }
}

/** A browser names the page's origin, or says with Sec-Fetch-Site that it is another one. */
function isForeign(c: Called): boolean {
  const { headers, url } = c.req.raw
  const origin = headers.get('Origin')
  if (origin === null) return /^(?:cross|same)-site$/.test(headers.get('Sec-Fetch-Site') ?? '')
  return origin !== new URL(url).origin && allowOrigin(origin, c) === null
}
