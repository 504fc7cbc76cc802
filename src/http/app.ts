/** The service as one Hono app: its middleware in order, its routes and its one error handler. */

import { HonoBase as Hono } from 'hono/hono-base'
import { PatternRouter } from 'hono/router/pattern-router'
import { VaultError } from '../errors.ts'
import { requireAddressRate } from '../keys/address.ts'
import { checkHealth } from '../keys/health.ts'
import { openService } from '../service.ts'
import type { HealthAnswer } from '../shared/answers.ts'
import { describeSignIn } from '../answers.ts'
import { apiKeyRoutes, noStore } from './api-keys.ts'
import { answerError } from './error-answer.ts'
import { apiHeaders, logRequests, type AppEnv } from './front.ts'
import { pageHeaders, servePage } from './page.ts'
import { serveRelay } from './relay.ts'

/** The page, everything under `/api`, and a JSON answer to anything else. */
export function createApp() {
  const app = new Hono<AppEnv>({ router: new PatternRouter() })
  const methods = new PatternRouter<string>()
  const routed = app
    .use(logRequests)
    .get('/', pageHeaders, servePage)
    .use(apiHeaders)
    .use('/api/*', noStore)
    // The router ignores a slash at the end of a path, but a route has only one name.
    .use('/api/:path{.+/}', async (c) => answerError(new VaultError('not_found'), c))
    .get('/api/health', async (c) => {
      const service = await openService(c.env).catch(throwUnhealthy)
      await requireAddressRate(service, c.req.raw.headers)
      await checkHealth(service).catch(throwUnhealthy)
      const answer: HealthAnswer = { status: 'ok' }
      return c.json(answer)
    })
    .get('/api/config', async (c) => {
      const service = await openService(c.env)
      await requireAddressRate(service, c.req.raw.headers)
      return c.json(describeSignIn(service.settings.signIn))
    })
    .route('/api', apiKeyRoutes)
    .all('/relay/:provider/*', serveRelay)
    .notFound((c) => {
      const matched = methods.match('ALL', c.req.path)[0]
      const allowed = [...new Set(matched.map(([method]) => method))]
      if (allowed.length === 0) return answerError(new VaultError('not_found'), c)
      return answerError(new VaultError('method_not_allowed'), c, { Allow: allowed.join(', ') })
    })
    .onError((error, c) => answerError(error, c))
  for (const { method, path } of app.routes) {
    if (method !== 'ALL') methods.add('ALL', path, method)
    if (method === 'GET') methods.add('ALL', path, 'HEAD')
  }
  return routed
}

/** Tells an anonymous caller only the kind of fault. The log has the rest. */
function throwUnhealthy(error: unknown): never {
  const { code, cause } = VaultError.from(error)
  const isMisconfigured = code === 'server_misconfigured'
  const detail = isMisconfigured ? 'The log says what to set.' : 'The database did not answer.'
  throw new VaultError('unhealthy', { detail, cause, retryAfter: 5 })
}
