/** Deletes what has had its time: keys some days after they expire, and old events. */

import { log } from '../log.ts'
import type { Service } from '../service.ts'
import { encodeSlot } from '../shared/slot.ts'
import { BULK_DEADLINE_MS, run, runBatch } from '../store/d1.ts'
import { deleteEvents } from '../store/events.ts'
import { deleteExpired, NOTED_AT_ONCE, noteExpirations } from '../store/job-deletions.ts'
import { deletionHooks } from './deletion-hooks.ts'
import { publishEvents } from './publish.ts'

const DAY_MS = 24 * 60 * 60 * 1000
/** How often a run notes {@link NOTED_AT_ONCE} keys, and sends them to the queue. */
const NOTES_PER_RUN = 5

/**
 * Notes in the trail which keys have expired, at most 5,000 in a run. Then it deletes those that expired longer ago than
 * `EXPIRED_KEPT_DAYS`, at most 100 in a run, and logs each one.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function deleteExpiredKeys(service: Service): Promise<void> {
  const { db, keyring, settings } = service
  for (let left = NOTES_PER_RUN; left > 0; left -= 1) {
    // oxlint-disable-next-line no-await-in-loop -- the queue takes one batch after the other
    if ((await noteNext(service)) < NOTED_AT_ONCE) break
  }
  const before = new Date(Date.now() - settings.expiredKeptDays * DAY_MS).toISOString()
  const { defaultProvider } = settings
  const hooks = deletionHooks(keyring.foreign !== null)
  const statements = deleteExpired({ before, defaultProvider, hooks })
  const results = await runBatch(db, statements, BULK_DEADLINE_MS)
  for (const { userId: user_id, provider } of results.at(-1)?.results ?? []) {
    log('info', 'expired_key_deleted', { user_id, provider: encodeSlot(provider) })
  }
  await publishEvents(service, results)
}

/** @returns how many keys it has noted */
async function noteNext(service: Service): Promise<number> {
  const now = new Date().toISOString()
  const [events] = await runBatch(service.db, noteExpirations(now), BULK_DEADLINE_MS)
  await publishEvents(service, [events])
  return events.results.length
}

/**
 * Deletes events of the days before the one of `EVENTS_KEPT_DAYS` ago, at most 5,000 in a run.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function deleteOldEvents({ db, settings }: Service): Promise<void> {
  const oldest = new Date(Date.now() - settings.eventsKeptDays * DAY_MS)
  await run(db, deleteEvents(oldest.toISOString().slice(0, 10)), BULK_DEADLINE_MS)
}
