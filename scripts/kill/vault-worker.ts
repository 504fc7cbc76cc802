/** The vault, with rate limiters that let everything pass: the local ones are slow, and would refuse the load. */

import vault from '../../src/index.ts'

export * from '../../src/index.ts'

const NO_LIMIT: RateLimit = { limit: async () => ({ success: true }) }

let unlimited: Env | undefined

/** One object per isolate, like the runtime's own. */
function withoutLimits(env: Env): Env {
  return (unlimited ??= {
    ...env,
    RATE_LIMITER: NO_LIMIT,
    RELAY_LIMITER: NO_LIMIT,
    PROBE_LIMITER: NO_LIMIT,
    ADDRESS_LIMITER: NO_LIMIT,
    CALLER_LIMITER: NO_LIMIT,
  })
}

export default {
  fetch: async (request: Request, env: Env, context: ExecutionContext): Promise<Response> =>
    vault.fetch(request, withoutLimits(env), context),
  scheduled: async (event: ScheduledController, env: Env): Promise<void> =>
    vault.scheduled(event, withoutLimits(env)),
}
