/** The work of the Worker's Cron Trigger: the rewrap job, what has to be deleted, and what is remembered of it. */

import { deleteExpiredKeys, deleteOldEvents } from './keys/expiry.ts'
import { copyDeletions as runCopy } from './keys/gone.ts'
import { rewrap as runRewrap } from './keys/rewrap.ts'
import { logFailure } from './log.ts'
import { openService, type Service } from './service.ts'

/**
 * Runs the whole work once. If one part fails, the others still run.
 *
 * @throws VaultError `server_misconfigured`, `database_busy`
 */
export async function runJobs(env: Env): Promise<void> {
  const runs = await Promise.allSettled([
    rewrap(env),
    deleteExpired(env),
    trimTrail(env),
    copyDeletions(env),
  ])
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

/** Copies to the second store which keys are gone, and deletes those that a restored database has again. */
export async function copyDeletions(env: Env): Promise<void> {
  await runLogged('deletions_not_copied', env, runCopy)
}

async function runLogged(
  event: Parameters<typeof logFailure>[0],
  env: Env,
  work: (service: Service) => Promise<void>,
): Promise<void> {
  await openService(env)
    .then(work)
    .catch((error: unknown) => {
      logFailure(event, error)
      throw error
    })
}
