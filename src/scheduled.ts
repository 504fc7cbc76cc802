/** The work of the Worker's Cron Trigger: one run of the rewrap job, and of the deletion of expired keys. */

import { VaultError } from './errors.ts'
import { deleteExpiredKeys } from './keys/expiry.ts'
import { rewrap as runRewrap } from './keys/rewrap.ts'
import { errorFields, log } from './log.ts'
import { openService, type Service } from './service.ts'

/**
 * Runs the rewrap job once, and deletes keys that expired long ago. It logs an error before it throws it.
 *
 * @throws VaultError `server_misconfigured`, `database_busy`
 */
export async function rewrap(env: Env): Promise<void> {
  const runs = await Promise.allSettled([
    runLogged('rewrap_failed', env, runRewrap),
    runLogged('expiry_failed', env, deleteExpiredKeys),
  ])
  const failed = runs.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

async function runLogged(
  event: string,
  env: Env,
  work: (service: Service) => Promise<void>,
): Promise<void> {
  await openService(env)
    .then(work)
    .catch((error: unknown) => {
      const { code, cause = error } = VaultError.from(error)
      log('error', event, { code, error: errorFields(cause) })
      throw error
    })
}
