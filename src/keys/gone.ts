/** Finds out whether a key is gone, although D1 has it: somebody may have restored an older database. */

import type { Deletions } from '../deletions.ts'
import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import type { Settings } from '../settings.ts'
import { inTime } from '../shared/deadline.ts'
import type { KeyRow } from '../store/api-keys.ts'
import { isRecent, selectHeartbeat, type Heartbeat } from '../store/gone-keys.ts'
import type { Statement } from '../store/d1.ts'

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
