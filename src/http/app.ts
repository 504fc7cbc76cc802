/** The service as one Hono app: middleware in order, routes, and every error answered once. */

import { cors } from 'hono/cors'
import { createMiddleware } from 'hono/factory'
import { HonoBase as Hono } from 'hono/hono-base'
import { methodNotAllowed } from 'hono/method-not-allowed'
import { requestId, type RequestIdVariables } from 'hono/request-id'
import { routePath } from 'hono/route'
import { TrieRouter } from 'hono/router/trie-router'
import { secureHeaders } from 'hono/secure-headers'
import { answerError, apiKeys, noStore, type AnswerVariables } from './api-keys.ts'
import { splitList } from '../settings.ts'
import { ApiError } from '../errors.ts'
import { log } from '../log.ts'
import { checkVault } from '../store/kids.ts'
import { describeSignIn, pageHeaders, servePage } from './page.ts'
import { openVault } from '../store/api-keys.ts'

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
    .use(
      requestId({ generator: (c) => rayId(c.req.header('cf-ray')) ?? crypto.randomUUID() }),
      logRequests,
    )
    .get('/', pageHeaders, servePage)
    .use(
      secureHeaders({
        contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
        xFrameOptions: 'DENY',
      }),
      cors({
        origin: (origin, c) => (splitList(c.env.CORS_ORIGINS).includes(origin) ? origin : null),
        allowMethods: ['GET', 'PUT', 'DELETE', 'POST'],
        allowHeaders: ['Authorization', 'Content-Type', 'X-Request-Id'],
        exposeHeaders: ['WWW-Authenticate', 'Retry-After', 'X-Request-Id'],
        maxAge: 7200,
      }),
      methodNotAllowed({
        app,
        onMethodNotAllowed: (c, methods) => {
          const headers = { Allow: methods.join(', ') }
          return answerError(new ApiError('method_not_allowed', { headers }), c)
        },
      }),
    )
    .use('/api/*', noStore)
    .get('/api/health', async (c) => {
      await checkHealth(c.env)
      return c.json({ status: 'ok' })
    })
    .get('/api/config', (c) => c.json(describeSignIn(c.env)))
    .route('/api', apiKeys)
    .notFound((c) => answerError(new ApiError('not_found'), c))
    .onError(answerError)
}

async function checkHealth(env: Env): Promise<void> {
  const check = openVault(env).then(checkVault)
  await check.catch((error: unknown) => {
    const { code, cause } = ApiError.from(error)
    const detail =
      code === 'server_misconfigured' ? 'The log says what to set.' : 'The database did not answer.'
    throw new ApiError('unhealthy', { detail, cause, headers: { 'Retry-After': '5' } })
  })
}

function rayId(ray: string | undefined): string | undefined {
  return ray !== undefined && /^[\w-]{1,64}$/.test(ray) ? ray : undefined
}
