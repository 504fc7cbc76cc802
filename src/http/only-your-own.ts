/** Lets only the owner of the keys through: it checks for a 401, then a 403, then a 429. */

import { createMiddleware } from 'hono/factory'
import { VaultError } from '../errors.ts'
import { checkToken } from '../keys/address.ts'
import { requireRate } from '../keys/rate.ts'
import { openService, type Service } from '../service.ts'
import { requestToken } from '../tokens/bearer-token.ts'
import { tokenHeaders } from './front.ts'

/** What {@link onlyYourOwn} sets for the routes. */
export interface OwnerVariables {
  service: Service
  userId: string
}

/**
 * Sets `service` and `userId`. The token must be valid, its user must be the `:userId` of the path, and
 * that user must be within the rate limit.
 */
export const onlyYourOwn = createMiddleware<{ Bindings: Env; Variables: OwnerVariables }>(
  async (c, next) => {
    const service = await openService(c.env)
    const { tokenHeader } = service.settings
    const { userId } = await checkToken(service, c.req.raw.headers, () =>
      requestToken(tokenHeaders(c, tokenHeader), tokenHeader),
    )
    if (c.req.param('userId') !== userId) throw new VaultError('not_your_own')
    await requireRate(service.settings.rateLimiter, userId)
    c.set('service', service)
    c.set('userId', userId)
    return next()
  },
)
