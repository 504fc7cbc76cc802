/** The vault as it is deployed, with rate limiters that let everything pass. */

// @ts-expect-error -- the bundle that wrangler makes for a deployment
import vault, { KeyVault } from './vault.js'

const NO_LIMIT: RateLimit = { limit: async () => ({ success: true }) }

let unlimited: Env | undefined

/** One object per isolate, like the runtime's own. */
function withoutLimits(env: Env): Env {
  return (unlimited ??= {
    ...env,
    RATE_LIMITER: NO_LIMIT,
    PROBE_LIMITER: NO_LIMIT,
    ADDRESS_LIMITER: NO_LIMIT,
    CALLER_LIMITER: NO_LIMIT,
  })
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
