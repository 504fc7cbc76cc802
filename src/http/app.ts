/** The service as one Hono app: middleware in order, routes, and every error answered once. */

import type { Context } from 'hono'
import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { requestId, type RequestIdVariables } from 'hono/request-id'
import { routePath } from 'hono/route'
import { TrieRouter } from 'hono/router/trie-router'
import { secureHeaders } from 'hono/secure-headers'
import { VaultError } from '../errors.ts'
import { checkHealth } from '../keys/health.ts'
import { log } from '../log.ts'
import { openFront, openService } from '../service.ts'
import { configAnswer } from './answers.ts'
import { apiKeys, noStore } from './api-keys.ts'
import { answerError, type AnswerVariables } from './error-answer.ts'
import { pageHeaders, servePage } from './page.ts'
import { withService } from './with-service.ts'

interface AppEnv {
  Bindings: Env
  Variables: RequestIdVariables & AnswerVariables
}

const logRequests = createMiddleware<AppEnv>(async (c, next) => {
  const startedAt = Date.now()
  await next()
  const { requestId: request_id, errorCode: code = null } = c.var
  const [method, route, { status }] = [c.req.method, routePath(c, -1), c.res]
  const duration_ms = Date.now() - startedAt
  log('info', 'request', { request_id, method, route, status, code, duration_ms })
})

/** The page, everything under `/api`, and a JSON answer to anything else. */
export function createApp() {
  const app = new Hono<AppEnv>({ router: new TrieRouter() })
  return app
    .use(requestId({ limitLength: 0, generator: chooseRequestId }), logRequests)
    .get('/', pageHeaders, servePage)
    .use(
      secureHeaders({
        contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
        xFrameOptions: 'DENY',
      }),
      // Tracing and CSRF libraries add headers of their own: without `allowHeaders`, all are allowed.
      cors({
        origin: (origin, c) => (openFront(c.env).corsOrigins.includes(origin) ? origin : null),
        allowMethods: ['GET', 'PUT', 'DELETE', 'POST'],
        exposeHeaders: ['WWW-Authenticate', 'Retry-After', 'X-Request-Id'],
        maxAge: 7200,
      }),
      methodNotAllowed({
        app,
        onMethodNotAllowed: (c, methods) =>
          answerError(new VaultError('method_not_allowed'), c, { Allow: methods.join(', ') }),
      }),
    )
    .use('/api/*', noStore)
    .get('/api/health', async (c) => {
      await openService(c.env).then(checkHealth).catch(throwUnhealthy)
      return c.json({ status: 'ok' })
    })
    .get('/api/config', withService, (c) => c.json(configAnswer(c.var.service.settings.signIn)))
    .route('/api', apiKeys)
    .notFound((c) => answerError(new VaultError('not_found'), c))
    .onError((error, c) => answerError(error, c))
}

/** An anonymous caller is told which kind of fault it is; the log has the rest. */
function throwUnhealthy(error: unknown): never {
  const { code, cause } = VaultError.from(error)
  const isMisconfigured = code === 'server_misconfigured'
  const detail = isMisconfigured ? 'The log says what to set.' : 'The database did not answer.'
  throw new VaultError('unhealthy', { detail, cause, retryAfter: 5 })
}

/** Prefers Cloudflare's id: a client can choose its own freely. Each has to be safe in a log line. */
function chooseRequestId({ req }: Context): string {
  const sent = [req.header('cf-ray'), req.header('X-Request-Id')]
  return sent.find((id) => id !== undefined && /^[\w=-]{1,255}$/.test(id)) ?? crypto.randomUUID()
}
