/** Lets only the owner of the keys through. */

import { createMiddleware } from 'hono/factory'
import { authorizeOwner } from '../door/authorize.ts'
import { openService, type Service } from '../service.ts'
import { tokenHeaders } from './front.ts'

/** What {@link onlyYourOwn} sets for the routes. */
export interface OwnerVariables {
  service: Service
  userId: string
}

/** Sets `service` and `userId` for the user of the path, whose token the request must have. */
export const onlyYourOwn = createMiddleware<{ Bindings: Env; Variables: OwnerVariables }>(
  async (c, next) => {
    const service = await openService(c.env)
    const sent = tokenHeaders(c, service.settings.tokenHeader)
    c.set('userId', await authorizeOwner(service, sent, c.req.param('userId')))
    c.set('service', service)
    return next()
  },
)
