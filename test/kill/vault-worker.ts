/** The vault without rate limits, for the kill test and the soak test. The former also imports keys, and reads its tables. */

import vault from '../../src/index.ts'
import { importRows } from '../../src/import/imported-keys.ts'
import { withoutLimits } from '../../scripts/lib/without-limits.ts'
import { readStored } from './stored.ts'

export * from '../../src/index.ts'

/** Answers the kill test's own requests; null for those to the vault. */
async function serveKillTest(request: Request, env: Env): Promise<Response | null> {
  const { pathname } = new URL(request.url)
  if (pathname === '/kill-test/import') {
    await importRows(env.DB, await request.json())
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
