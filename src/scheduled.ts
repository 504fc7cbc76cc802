/** The work of the Worker's Cron Trigger: one run of the rewrap job. */

import { VaultError } from './errors.ts'
import { rewrap as runRewrap } from './keys/rewrap.ts'
import { errorFields, log } from './log.ts'
import { openService } from './service.ts'

/**
 * Runs the rewrap job once. It logs an error before it throws it.
 *
 * @throws VaultError `server_misconfigured`, `database_busy`
 */
export async function rewrap(env: Env): Promise<void> {
  await openService(env)
    .then(runRewrap)
    .catch((error: unknown) => {
      const { code, cause = error } = VaultError.from(error)
      log('error', 'rewrap_failed', { code, error: errorFields(cause) })
      throw error
    })
}
