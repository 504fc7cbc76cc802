/** The vault as it is deployed, without rate limits. */

// @ts-expect-error -- the bundle that wrangler makes for a deployment
import vault, { KeyVault } from './vault.js'
import { withoutLimits } from '../../lib/without-limits.ts'

export class UnlimitedVault extends KeyVault {
  constructor(context: ExecutionContext, env: Env) {
    super(context, withoutLimits(env))
  }
}

export default {
  fetch: async (request: Request, env: Env, context: ExecutionContext): Promise<Response> =>
    vault.fetch(request, withoutLimits(env), context),
}
