/** Nobody but the user whose keys they are: 401, then 403, then 429. */

import { createMiddleware } from 'hono/factory'
import { VaultError } from '../errors.ts'
import { requireRate } from '../keys/rate.ts'
import { openService, type Service } from '../service.ts'

/** What the routes behind it work with. */
export interface OwnerVariables {
  service: Service
  userId: string
}

/**
 * Sets `service`, and `userId` if the token is valid, names the `:userId` of the path, and is within its
 * rate.
 */
export const onlyYourOwn = createMiddleware<{ Bindings: Env; Variables: OwnerVariables }>(
  async (c, next) => {
    const service = await openService(c.env)
    const userId = await service.verifyToken(bearerToken(c.req.header('Authorization')))
    if (c.req.param('userId') !== userId) throw new VaultError('not_your_own')
    await requireRate(service.settings.rateLimiter, userId)
    c.set('service', service)
    c.set('userId', userId)
    return next()
  },
)

/** The token of an Authorization header (RFC 6750 §2.1). */
function bearerToken(authorization: string | undefined): string {
  const [, scheme, token] = /^(\S+) *(.*)$/.exec(authorization ?? '') ?? []
  if (scheme?.toLowerCase() === 'bearer' && token) return token
  const detail = scheme
    ? 'The Authorization header must be "Bearer", a space and the token.'
    : 'There is no Authorization header.'
  throw new VaultError('token_missing', { detail })
}
