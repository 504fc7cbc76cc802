/** Tells the second store which keys are gone, and deletes those that a restored database has again. */

import { isMovingIn } from '../crypto/keyring.ts'
import { EXCHANGED_AT_ONCE } from '../deletions.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import type { GoneKey } from '../shared/gone-key.ts'
import { BULK_DEADLINE_MS, runBatch, type Statement } from '../store/d1.ts'
import { forgetGone, selectGone, toGoneKeys } from '../store/gone-keys.ts'
import { moveHeartbeat, selectHeartbeat, type Heartbeat } from '../store/heartbeat.ts'
import {
  deleteRestoredEvents,
  deleteRestoredKeys,
  deleteRestoredUsers,
  noteRestoredEvents,
  noteRestoredImports,
  noteRestoredKids,
} from '../store/restored-keys.ts'
import { askStore, type DeletionsBinding } from './gone.ts'
import { publishEvents } from './publish.ts'

/** The exchanges of a run. Each is 10 statements at most, and the free plan allows 50 per run. */
const EXCHANGES_PER_RUN = 3

/**
 * Copies from D1 to the second store which keys are gone. D1's heartbeat says up to which of them D1 itself
 * knows. If the store has later ones, D1 was restored, and they are deleted in it again. A run may stop
 * anywhere, and two may run at once: what is done twice does no harm, and D1 changes in one transaction.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function copyDeletions(service: Service): Promise<void> {
  const { deletions } = service.settings
  if (deletions === null) return
  let isDone = false
  for (let left = EXCHANGES_PER_RUN; left > 0 && !isDone; left -= 1) {
    // oxlint-disable-next-line no-await-in-loop -- each exchange begins where the last one ended
    isDone = await exchange(service, deletions)
  }
}

/** @returns whether nothing is left to copy or to delete */
async function exchange(service: Service, deletions: DeletionsBinding): Promise<boolean> {
  const { db, keyring } = service
  const { read, gone } = await readGone(db)
  const answer = await askStore(deletions, async (store) => store.exchange(read.copied, gone))
  const missing = deleteMissing(answer.missing, isMovingIn(keyring))
  const sent = toGoneKeys(gone)
  const results = await runBatch(
    db,
    [...missing, forgetGone(sent), moveHeartbeat(read, answer, sent)],
    BULK_DEADLINE_MS,
  )
  logDeleted(results.slice(0, missing.length))
  await publishEvents(service, results)
  return answer.isComplete && gone.length < EXCHANGED_AT_ONCE
}

async function readGone(db: D1Database): Promise<{ read: Heartbeat; gone: GoneKey[] }> {
  const [beat, rows] = await runBatch(db, [selectHeartbeat(), selectGone(EXCHANGED_AT_ONCE)])
  const [read = { at: '', copied: 0, age: null }] = beat.results
  return { read, gone: rows.results }
}

/** The statements that delete again what is gone. The last three delete keys, events and users. */
function deleteMissing(missing: readonly GoneKey[], isImporting: boolean): Statement<object>[] {
  if (missing.length === 0) return []
  const keys = toGoneKeys(missing)
  return [
    noteRestoredKids(keys),
    noteRestoredEvents(keys),
    ...(isImporting ? [noteRestoredImports(keys)] : []),
    deleteRestoredKeys(keys),
    deleteRestoredEvents(keys),
    deleteRestoredUsers(keys),
  ]
}

/** Logs how many keys and users were deleted, if there were any. */
function logDeleted(results: readonly D1Result<object>[]): void {
  const [keys = 0, users = 0] = [results.at(-3), results.at(-1)].map(
    (result) => result?.results.length,
  )
  if (keys + users > 0) log('info', 'restored_keys_deleted', { keys, users })
}
