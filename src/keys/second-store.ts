/** Asks the second store, which is in the jurisdiction that the settings name. */

import type { Deletions } from '../deletions.ts'
import { VaultError } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { inTime } from '../shared/deadline.ts'

const DEADLINE_MS = 5_000

export type SecondStore = NonNullable<Settings['deletions']>

type Store = Pick<DurableObjectStub<Deletions>, 'exchange' | 'isGone' | 'isEmpty'>

/** The one instance. Each jurisdiction has its own. */
function chooseStore({ namespace, jurisdiction }: SecondStore): Store {
  const chosen = jurisdiction === null ? namespace : namespace.jurisdiction(jurisdiction)
  return chosen.getByName('deletions')
}

/** @throws VaultError `database_busy` if the second store fails, or does not answer in time */
export async function askStore<T>(
  second: SecondStore,
  question: (store: Store) => Promise<T>,
): Promise<T> {
  const ask = async () => question(chooseStore(second))
  return inTime(ask(), DEADLINE_MS).catch((cause: unknown) => {
    throw new VaultError('database_busy', { cause, retryAfter: 1 })
  })
}

/**
 * Looks for tombstones that were stored before the jurisdiction was set. They are outside of it, and a restored database
 * would not learn of them.
 *
 * @throws VaultError `server_misconfigured` if there are some; `database_busy`
 */
export async function refuseOthers({ deletions }: Pick<Settings, 'deletions'>): Promise<void> {
  if (deletions === null || deletions.jurisdiction === null) return
  const outside = { ...deletions, jurisdiction: null }
  if (await askStore(outside, async (store) => store.isEmpty())) return
  const fix = 'move or delete them as docs/eu.md says'
  const cause = new Error(`tombstones are outside of DELETIONS_JURISDICTION; ${fix}`)
  throw new VaultError('server_misconfigured', { cause })
}
