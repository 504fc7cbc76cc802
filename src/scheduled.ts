/** The work of the Worker's Cron Trigger: the rewrap job, and the deletion of expired keys and old events. */

import { VaultError } from './errors.ts'
import { deleteExpiredKeys } from './keys/expiry.ts'
import { rewrap as runRewrap } from './keys/rewrap.ts'
import { deleteOldEvents } from './keys/trail.ts'
import { errorFields, log } from './log.ts'
import { openService, type Service } from './service.ts'

/**
 * Runs the whole work once. If one part fails, the others still run.
 *
 * @throws VaultError `server_misconfigured`, `database_busy`
 */
export async function runJobs(env: Env): Promise<void> {
  const runs = await Promise.allSettled([rewrap(env), deleteExpired(env), trimTrail(env)])
  const failed = runs.find((run) => run.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Runs the rewrap job once. It logs an error before it throws it, as {@link deleteExpired} does. */
export async function rewrap(env: Env): Promise<void> {
  await runLogged('rewrap_failed', env, runRewrap)
}

/** Deletes the keys that expired longer ago than `EXPIRED_KEPT_DAYS`. */
export async function deleteExpired(env: Env): Promise<void> {
  await runLogged('expiry_failed', env, deleteExpiredKeys)
}

/** Deletes the events that are older than `EVENTS_KEPT_DAYS`. */
export async function trimTrail(env: Env): Promise<void> {
  await runLogged('trail_not_trimmed', env, deleteOldEvents)
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
