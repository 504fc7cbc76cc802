/** Keys that expire: nobody uses one after its time, and the job deletes it some days later. */

import { isMovingIn } from '../crypto/keyring.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import { BULK_DEADLINE_MS, runBatch } from '../store/d1.ts'
import {
  deleteExpired,
  noteExpirations,
  noteExpired,
  noteExpiredDeleted,
  noteExpiredEvents,
  noteExpiredGone,
} from '../store/expired-keys.ts'
import { publishEvents } from './publish.ts'

const DAY_MS = 24 * 60 * 60 * 1000

/** How far back a run looks for keys that have expired. The job may have been down. */
const NOTED_MS = DAY_MS

/**
 * Notes in the trail which keys have expired. Then it deletes those that expired longer ago than
 * `EXPIRED_KEPT_DAYS`, at most 100 in a run, and logs each one.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function deleteExpiredKeys(service: Service): Promise<void> {
  const { db, keyring, settings } = service
  const now = Date.now()
  const ago = (ms: number) => new Date(now - ms).toISOString()
  const before = ago(settings.expiredKeptDays * DAY_MS)
  const results = await runBatch(
    db,
    [
      noteExpirations(ago(NOTED_MS), ago(0)),
      noteExpired(before),
      noteExpiredGone(before),
      ...(isMovingIn(keyring) ? [noteExpiredDeleted(before)] : []),
      noteExpiredEvents(before),
      deleteExpired(before),
    ],
    BULK_DEADLINE_MS,
  )
  for (const { userId: user_id, provider } of results.at(-1)?.results ?? []) {
    log('info', 'expired_key_deleted', { user_id, provider })
  }
  await publishEvents(service, results)
}
