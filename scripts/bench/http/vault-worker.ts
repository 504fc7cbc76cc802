/** The vault as it is deployed, with a rate limiter that lets everything pass. */

// @ts-expect-error -- the bundle that wrangler makes for a deployment
import vault, { KeyVault } from './vault.js'

const RATE_LIMITER: RateLimit = { limit: async () => ({ success: true }) }

let unlimited: Env | undefined

/** One object per isolate, like the runtime's own. */
function withoutLimits(env: Env): Env {
  return (unlimited ??= { ...env, RATE_LIMITER, PROBE_LIMITER: RATE_LIMITER })
}

export class UnlimitedVault extends KeyVault {
  constructor(context: ExecutionContext, env: Env) {
    super(context, withoutLimits(env))
  }
}

export default {
  fetch: async (request: Request, env: Env, context: ExecutionContext): Promise<Response> =>
    vault.fetch(request, withoutLimits(env), context),
}
