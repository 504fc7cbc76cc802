/** The service as one Hono app: its middleware in order, its routes and its one error handler. */

import type { Context } from 'hono'
import { HonoBase as Hono } from 'hono/hono-base'
import { PatternRouter } from 'hono/router/pattern-router'
import type { NotFoundHandler, RouterRoute } from 'hono/types'
import { requireAddressRate } from '../door/address.ts'
import { VaultError } from '../errors.ts'
import { checkHealth } from '../keys/health.ts'
import { openService } from '../service.ts'
import { namesIn } from '../shared/json.ts'
import { ROUTES, type AnswerOf, type GuardedOperation, type OperationId } from '../shared/routes.ts'
import { describeSignIn } from '../keys/answer-bodies.ts'
import { apiKeyRoutes, noStore } from './api-keys.ts'
import { answerError, answerJson, forSdks } from './answer.ts'
import { apiHeaders, logRequests, type AppEnv, allowOrigin, tokenHeaders } from './front.ts'
import { pageHeaders, servePage } from './page.ts'
import { authorizeRelay } from '../door/authorize.ts'
import { findSlot } from '../keys/slot-name.ts'
import { encodeSlot } from '../shared/slot.ts'
import { describeUse } from '../keys/use.ts'
import { relay } from '../relay/relay.ts'

/** The work of each route that needs no token. */
const handlers: {
  [Id in Exclude<OperationId, GuardedOperation>]: (c: Context<AppEnv>) => Promise<AnswerOf<Id>>
} = {
  getHealth: async (c) => {
    const service = await openService(c.env).catch(throwUnhealthy)
    await requireAddressRate(service, c.req.raw.headers)
    await checkHealth(service).catch(throwUnhealthy)
    return { status: 'ok' }
  },

  getConfig: async (c) => {
    const service = await openService(c.env)
    await requireAddressRate(service, c.req.raw.headers)
    return describeSignIn(service.settings.signIn)
  },
}

/** The page, everything under `/api`, and a JSON answer to anything else. */
export function createApp() {
  const app = new Hono<AppEnv>({ router: new PatternRouter() })
  app
    .use(logRequests)
    .use('/relay/*', forSdks)
    .get('/', pageHeaders, servePage)
    .use(apiHeaders)
    .use('/api/*', noStore)
    // The router ignores a slash at the end of a path, but a route has only one name.
    .use('/api/:path{[^]+/}', async (c) => answerError(new VaultError('not_found'), c))
  for (const id of namesIn(handlers)) {
    const { method, path } = ROUTES[id]
    app.on(method, path, async (c) => answerJson(c, await handlers[id](c)))
  }
  app
    .route('/api', apiKeyRoutes)
    .on('ALL', '/relay/:provider/*', serveRelay)
    .onError((error, c) => answerError(error, c))
  return app.notFound(nameMethods(app.routes))
}

/** Answers 405 for a path of `routes`, and 404 for any other. */
function nameMethods(routes: readonly RouterRoute[]): NotFoundHandler<AppEnv> {
  const methods = new PatternRouter<string>()
  for (const { method, path } of routes) {
    if (method !== 'ALL') methods.add('ALL', path, method)
    if (method === 'GET') methods.add('ALL', path, 'HEAD')
  }
  return (c) => {
    const matched = methods.match('ALL', c.req.path)[0]
    const allowed = [...new Set(matched.map(([method]) => method))]
    if (allowed.length === 0) return answerError(new VaultError('not_found'), c)
    return answerError(new VaultError('method_not_allowed'), c, { Allow: allowed.join(', ') })
  }
}

/** Throws an error that tells an anonymous caller only the kind of fault. The log has the rest. */
function throwUnhealthy(error: unknown): never {
  const { code, cause } = VaultError.from(error)
  const isMisconfigured = code === 'server_misconfigured'
  const detail = isMisconfigured ? 'The log says what to set.' : 'The database did not answer.'
  throw new VaultError('unhealthy', { detail, cause, retryAfter: 5 })
}

/** Answers with the provider's answer, and adds the use to the request's log line. */
async function serveRelay(c: Context<AppEnv, '/relay/:provider/*'>): Promise<Response> {
  const service = await openService(c.env)
  const { settings } = service
  const slot = findSlot(settings, c.req.param('provider'))
  const sent = tokenHeaders(c, settings.tokenHeader)
  const { userId, caller, ...inUse } = await authorizeRelay(service, slot, sent)
  const use = { user_id: userId, caller, provider: slot.isKnown ? encodeSlot(slot.name) : null }
  c.set('use', use)
  const response = await relay(service, {
    request: c.req.raw,
    slot,
    userId,
    caller,
    granted: settings.relay?.providers ?? undefined,
    ...inUse,
    requestId: c.get('requestId'),
    allowedOrigin: allowOrigin(c.req.header('Origin'), c),
    waitUntil: (recording) => c.executionCtx.waitUntil(recording),
  })
  c.set('use', { ...use, ...describeUse(response) })
  return response
}
