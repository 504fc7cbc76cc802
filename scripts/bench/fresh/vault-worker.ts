/** The vault as it is deployed, without rate limits, with a D1 that the benchmark counts and stops, and a clock that it moves. */

// @ts-expect-error -- the bundle that wrangler makes for a deployment
import vault, { KeyVault } from './vault.js'
import { withoutLimits } from '../../lib/without-limits.ts'
import { watchD1, type D1State, type WatchedD1 } from './d1.ts'

/** One environment per isolate, like the runtime's own. */
let watched: { env: Env; d1: WatchedD1 } | undefined

function watch(env: Env): { env: Env; d1: WatchedD1 } {
  if (watched !== undefined) return watched
  const d1 = watchD1(env.DB)
  watched = { env: { ...withoutLimits(env), DB: d1.db }, d1 }
  return watched
}

/** How far the clock of the isolate is ahead. */
let aheadMs = 0
const now = Date.now.bind(Date)
Date.now = () => now() + aheadMs

const STATES: readonly D1State[] = ['up', 'lost', 'silent', 'not-anew']

export class UnlimitedVault extends KeyVault {
  constructor(context: ExecutionContext, env: Env) {
    super(context, watch(env).env)
  }
}

export default {
  /** `GET /d1` answers with what was sent to D1. `GET /d1?state=lost` stops it before, and `GET /d1?ahead=60` moves the clock. */
  fetch: async (request: Request, env: Env, context: ExecutionContext): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url)
    const { env: own, d1 } = watch(env)
    if (pathname !== '/d1') return vault.fetch(request, own, context)
    d1.state = STATES.find((state) => state === searchParams.get('state')) ?? d1.state
    aheadMs += Number(searchParams.get('ahead')) * 1_000
    return Response.json(d1.seen)
  },
}
