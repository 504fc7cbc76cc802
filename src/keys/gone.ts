/** Keys and users that are gone stay gone, even if somebody restores an older database. */

import { EXCHANGED_AT_ONCE } from '../deletions.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import type { Settings } from '../settings.ts'
import type { KeyRow } from '../store/api-keys.ts'
import { BULK_DEADLINE_MS, run, runBatch, type Statement } from '../store/d1.ts'
import {
  forgetGone,
  isRecent,
  MAX_UNEXPLAINED,
  selectGone,
  selectHeartbeat,
  toGone,
  updateHeartbeat,
  type Heartbeat,
  type Tombstone,
} from '../store/gone-keys.ts'
import { deleteRestored, selectRestored } from '../store/job-deletions.ts'
import { withUserHooks } from './deletion-hooks.ts'
import { publishEvents } from './publish.ts'
import { askStore, refuseOthers, type SecondStore } from './second-store.ts'

/** The latest heartbeat that the isolate has seen and that was recent. */
const latest = new WeakMap<Service, string>()

/** Reads the heartbeat, which {@link isGone} needs. Empty without `DELETIONS`. */
export function readHeartbeat({ deletions }: Settings): Statement<Heartbeat>[] {
  return deletions === null ? [] : [selectHeartbeat()]
}

/**
 * Whether the key in `row` was deleted or replaced before D1 was restored. It does not ask the second store if
 * `heartbeat`, which D1 returned with the row, is recent, and not older than one that the isolate has seen.
 *
 * @throws VaultError `database_busy`
 */
export async function isGone(
  service: Service,
  { identity }: Pick<KeyRow, 'identity'>,
  heartbeat: Heartbeat | undefined,
): Promise<boolean> {
  const { deletions } = service.settings
  if (deletions === null || isWatched(service, heartbeat)) return false
  return askStore(deletions, async (store) => store.isGone(identity))
}

/**
 * Whether D1 had not been restored when it returned the heartbeat. The heartbeat must be recent, and not older than one that
 * the isolate has seen. It is true without a second store.
 */
export function isWatched(service: Service, heartbeat: Heartbeat | undefined): boolean {
  if (service.settings.deletions === null) return true
  if (heartbeat === undefined) return false
  const { at } = heartbeat
  // A heartbeat far in the future would be later than all that follow.
  if (!isRecent(heartbeat) || at < (latest.get(service) ?? '')) return false
  latest.set(service, at)
  return true
}

/** Whether the heartbeat that D1 returned `agoMs` milliseconds ago is still recent. The isolate may have seen a later one since. */
export function isRecentAfter({ age }: Heartbeat, agoMs: number): boolean {
  return age !== null && isRecent({ age: age + agoMs / 1_000 })
}

/** The exchanges of a run. Each is 15 statements at most, the first one 28, and D1 allows 1,000 in a run. */
const EXCHANGES_PER_RUN = 30

/**
 * Copies the tombstones from D1 to the second store, at most 900,000 in a run. D1's heartbeat says up to which of them
 * D1 itself knows. If the store has later ones, D1 was restored, and their keys and users are deleted in it again. A run
 * may stop anywhere, and two may run at once: what is done twice does no harm, and D1 changes in one transaction.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function copyDeletions(service: Service): Promise<void> {
  const { deletions } = service.settings
  if (deletions === null) return
  await refuseOthers(service.settings)
  let isDone = false
  for (let left = EXCHANGES_PER_RUN; left > 0 && !isDone; left -= 1) {
    // oxlint-disable-next-line no-await-in-loop -- each exchange begins where the last one ended
    isDone = await exchange(service, deletions)
  }
}

/** @returns whether nothing is left to copy or to delete */
async function exchange(service: Service, deletions: SecondStore): Promise<boolean> {
  const { db } = service
  const { read, gone } = await readGone(db)
  const identities = gone.map(({ identity }) => identity)
  const answer = await askStore(deletions, async (store) => store.exchange(read.copied, identities))
  const sent = toGone(gone)
  const end = [forgetGone(sent), updateHeartbeat(read, answer, sent)]
  const deleted = await deleteMissing(service, answer.missing, end)
  logDeleted(deleted)
  await publishEvents(service, deleted)
  return answer.isComplete && gone.length < EXCHANGED_AT_ONCE
}

/** Deletes what D1 should not have, and does `end` in the same transaction. @returns the results of the deletion */
async function deleteMissing(
  { db, keyring }: Service,
  missing: readonly string[],
  end: readonly Statement[],
): Promise<D1Result<object>[]> {
  if (missing.length === 0) {
    await runBatch(db, end, BULK_DEADLINE_MS)
    return []
  }
  const { results: found } = await run(db, selectRestored(missing), BULK_DEADLINE_MS)
  const users = { userIds: found.map(({ id }) => id), isImporting: keyring.foreign !== null }
  const results = await withUserHooks(db, users, async (hooks) => {
    const statements: Statement<object>[] = [...deleteRestored(missing, hooks), ...end]
    return runBatch(db, statements, BULK_DEADLINE_MS)
  })
  return results.slice(0, -end.length)
}

/** The heartbeat, and the next tombstones. If there are many tombstones without a cause, those are held. */
async function readGone(db: D1Database): Promise<{ read: Heartbeat; gone: Tombstone[] }> {
  const [beat, rows] = await runBatch(db, [selectHeartbeat(), selectGone(EXCHANGED_AT_ONCE)])
  const [read = { at: '', copied: 0, age: null }] = beat.results
  const { explained = [], unexplained = [] } = Object.groupBy(rows.results, ({ cause }) =>
    cause === '' ? 'unexplained' : 'explained',
  )
  if (unexplained.length <= MAX_UNEXPLAINED) return { read, gone: rows.results }
  log('error', 'deletions_held', { most: MAX_UNEXPLAINED })
  return { read, gone: explained }
}

/** Logs how many keys and users were deleted, if there were any. */
function logDeleted(results: readonly D1Result<object>[]): void {
  const [keys = 0, users = 0] = [results.at(-5), results.at(-1)].map(
    (result) => result?.results.length,
  )
  if (keys + users > 0) log('info', 'restored_keys_deleted', { keys, users })
}
