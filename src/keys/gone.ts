/** Finds out whether a key is gone, although D1 has it: somebody may have restored an older database. */

import type { Deletions } from '../deletions.ts'
import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import type { Settings } from '../settings.ts'
import { inTime } from '../shared/deadline.ts'
import { selectKey, type UserKeyRow, type UserWithoutKey } from '../store/api-keys.ts'
import { runBatch } from '../store/d1.ts'
import { isRecent, selectHeartbeat, type Heartbeat } from '../store/heartbeat.ts'
import type { Statement } from '../store/statement.ts'
import { inRow } from './slot-row.ts'
import { EMPTY, isKeyRow, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { requireAnyUser } from './users.ts'

const DEADLINE_MS = 5_000

/** The latest heartbeat that the isolate has seen and that was recent. */
const latest = new WeakMap<Service, string>()

export type DeletionsBinding = NonNullable<Settings['deletions']>

/** The binding's one instance. */
type Store = Pick<DurableObjectStub<Deletions>, 'exchange' | 'isGone'>

/** @throws VaultError `database_busy` if the second store fails, or does not answer in time */
export async function askStore<T>(
  deletions: DeletionsBinding,
  question: (store: Store) => Promise<T>,
): Promise<T> {
  const ask = async () => question(deletions.getByName('deletions'))
  return inTime(ask(), DEADLINE_MS).catch((cause: unknown) => {
    throw new VaultError('database_busy', { cause, retryAfter: 1 })
  })
}

/** The statement of a use that {@link isGone} needs the row of; none without a second store. */
export function readHeartbeat({ deletions }: Settings): Statement<Heartbeat>[] {
  return deletions === null ? [] : [selectHeartbeat()]
}

/**
 * Whether the key in `row` was deleted or replaced before D1 was restored. It asks the second store only if
 * `heartbeat`, which D1 returned with the row, is old, or older than one that the isolate has seen.
 *
 * @throws VaultError `database_busy`
 */
async function isGone(
  service: Service,
  { identity }: UserKeyRow,
  heartbeat: Heartbeat | undefined,
): Promise<boolean> {
  const { deletions } = service.settings
  if (deletions === null) return false
  if (heartbeat !== undefined && isFresh(service, heartbeat)) return false
  return askStore(deletions, async (store) => store.isGone(identity))
}

function isFresh(service: Service, heartbeat: Heartbeat): boolean {
  // One far in the future would be later than all that follow.
  if (!isRecent(heartbeat) || heartbeat.at < (latest.get(service) ?? '')) return false
  latest.set(service, heartbeat.at)
  return true
}

/**
 * The row that was read for a use, if its key may be sent to its provider; null for an empty slot.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function usableRow(
  owner: SlotOwner,
  [row]: readonly (UserKeyRow | UserWithoutKey)[],
  heartbeat: Heartbeat | undefined,
): Promise<UserKeyRow | null> {
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || !isKeyRow(row)) return null
  return (await isGone(owner.service, row, heartbeat)) ? null : row
}

/** The row of the slot `name`. @throws as {@link usableRow} */
export async function readUsableRow(owner: SlotOwner, name: string): Promise<UserKeyRow | null> {
  const { db, settings } = owner.service
  return inRow(owner, name, async (slot) => {
    const [read, beat] = await runBatch(db, [selectKey(slot), ...readHeartbeat(settings)])
    return usableRow(owner, read.results, beat?.results[0])
  })
}

/** The key in the slot `name`, to be sent to its provider. @throws as {@link usableRow} */
export async function readUsableKey(owner: SlotOwner, name: string): Promise<StoredKey> {
  const row = await readUsableRow(owner, name)
  return row === null ? EMPTY : openAndLog(owner, row)
}
