/** Rate limiters that let everything pass: the local ones are slow, and would refuse the load of a test. */

const NO_LIMIT: RateLimit = { limit: async () => ({ success: true }) }

let unlimited: Env | undefined

/** The environment of a vault without rate limits. One object per isolate, like the runtime's own. */
export function withoutLimits(env: Env): Env {
  return (unlimited ??= {
    ...env,
    RATE_LIMITER: NO_LIMIT,
    RELAY_LIMITER: NO_LIMIT,
    PROBE_LIMITER: NO_LIMIT,
    ADDRESS_LIMITER: NO_LIMIT,
    CALLER_LIMITER: NO_LIMIT,
    EXPORT_LIMITER: NO_LIMIT,
  })
}
