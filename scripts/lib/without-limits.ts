/** Rate limiters that let everything pass: the local ones are slow, and would refuse the load of a test. */

import { limiters } from '../../src/environment.ts'

const NO_LIMIT: RateLimit = { limit: async () => ({ success: true }) }

let unlimited: Env | undefined

/** The environment of a vault without rate limits. One object per isolate, like the runtime's own. */
export function withoutLimits(env: Env): Env {
  const names = Object.keys(limiters)
  return (unlimited ??= Object.assign(
    { ...env },
    Object.fromEntries(names.map((name) => [name, NO_LIMIT])),
  ))
}
