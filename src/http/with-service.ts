/** Opens the service for the routes behind it. */

import { createMiddleware } from 'hono/factory'
import { openService, type Service } from '../service.ts'

/** The environment of a route that works with the service. */
export interface ServiceEnv {
  Bindings: Env
  Variables: { service: Service }
}

/** Sets `service`. @throws VaultError `server_misconfigured` */
export const withService = createMiddleware<ServiceEnv>(async (c, next) => {
  c.set('service', await openService(c.env))
  await next()
})
