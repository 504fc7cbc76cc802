/** The jobs of the Cron Trigger. If one of them fails, the log says so, and the others still run. */

import { deleteExpiredKeys, deleteOldEvents } from './keys/expiry.ts'
import { copyDeletions } from './keys/gone.ts'
import { recheckKeys } from './keys/recheck.ts'
import { rewrap } from './keys/rewrap.ts'
import { logFailure } from './log.ts'
import { openService, type Service } from './service.ts'

interface Job {
  /** The event of the log. */
  failure: Parameters<typeof logFailure>[0]
  work: (service: Service) => Promise<void>
}

const JOBS = {
  /** Seals keys again under the first encryption key. */
  rewrap: { failure: 'rewrap_failed', work: rewrap },
  /** Deletes the keys that expired longer ago than `EXPIRED_KEPT_DAYS`. */
  deleteExpired: { failure: 'expiry_failed', work: deleteExpiredKeys },
  /** Deletes the events that are older than `EVENTS_KEPT_DAYS`. */
  trimTrail: { failure: 'trail_not_trimmed', work: deleteOldEvents },
  /** Copies to the second store which keys are gone, and deletes those that a restored database has again. */
  copyDeletions: { failure: 'deletions_not_copied', work: copyDeletions },
  /** Asks providers about keys that were neither used nor checked for `RECHECK_AFTER_DAYS`. */
  recheck: { failure: 'recheck_failed', work: recheckKeys },
} as const satisfies Record<string, Job>

/** Runs each job once. @throws VaultError `server_misconfigured`, `database_busy` */
export async function runJobs(env: Env): Promise<void> {
  const runs = await Promise.allSettled(Object.values(JOBS).map(async (job) => run(env, job)))
  const failed = runs.find((one) => one.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}

/** Runs one job once. @throws as {@link runJobs} */
export async function runJob(env: Env, name: keyof typeof JOBS): Promise<void> {
  await run(env, JOBS[name])
}

async function run(env: Env, { failure, work }: Job): Promise<void> {
  await openService(env)
    .then(work)
    .catch((error: unknown) => {
      logFailure(failure, error)
      throw error
    })
}
