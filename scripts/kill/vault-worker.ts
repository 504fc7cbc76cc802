/**
 * The vault, with rate limiters that let everything pass: the local ones are slow, and would refuse the load. The kill
 * test also has it import keys, and looks at its tables.
 */

import vault from '../../src/index.ts'
import { runBatch } from '../../src/store/d1.ts'
import { importKeys } from '../lib/import-batch.ts'
import { readStored } from './stored.ts'

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

/** Answers the kill test's own requests; null for those to the vault. */
async function serveKillTest(request: Request, env: Env): Promise<Response | null> {
  const { pathname } = new URL(request.url)
  if (pathname === '/kill-test/import') {
    await runBatch(env.DB, importKeys(await request.json()))
    return new Response('ok')
  }
  return pathname === '/kill-test/stored' ? Response.json(await readStored(env)) : null
}

export default {
  fetch: async (request: Request, env: Env, context: ExecutionContext): Promise<Response> =>
    (await serveKillTest(request, env)) ?? vault.fetch(request, withoutLimits(env), context),
  scheduled: async (event: ScheduledController, env: Env): Promise<void> =>
    vault.scheduled(event, withoutLimits(env)),
}
