/** Names and orders the keys that an owner has of one provider. No key is sealed again. */

import { VaultError } from '../errors.ts'
import { joinSlot, splitSlot } from '../shared/slot.ts'
import { selectKey } from '../store/api-keys.ts'
import type { Statement } from '../store/d1.ts'
import { noted, type NewEvent } from '../store/noted-events.ts'
import { checkSlot, type Condition } from '../store/slot-check.ts'
import { placeKey, renameKey } from '../store/slot-order.ts'
import { makeMark, runMarked } from './retry.ts'
import { findSlot, requireKnown, requireLabel } from './slot-name.ts'
import { inRow } from './slot-row.ts'
import { actorOf, isKeyRow, openAndLog, type SlotOwner, type StoredKey } from './stored-key.ts'
import { requireAnyUser } from './users.ts'

/** What changes. What is undefined stays as it is. */
interface Arrangement {
  /** Null for the slot without a label. */
  label?: string | null | undefined
  /** The number of keys of the provider before it. */
  position?: number | undefined
  condition: Condition | null
}

/** A key, and the name of its slot. */
interface ArrangedKey {
  name: string
  key: StoredKey
}

/**
 * Gives the key in the slot another label, another position or both, with one round trip to D1. It is one change, which
 * raises only the revision of this key. If D1 fails, it tries again as `runMarked` does.
 *
 * @throws VaultError `label_invalid`, `unknown_provider`, `user_not_found`, `no_api_key`, `api_key_exists`,
 * `changed_meanwhile`, `database_busy`
 */
export async function arrangeKey(
  owner: SlotOwner,
  given: string,
  { label, position, condition }: Arrangement,
): Promise<ArrangedKey> {
  const { userId, service } = owner
  const { settings } = service
  const from = requireKnown(owner, findSlot(settings, given))
  const { provider } = splitSlot(from.name)
  const to =
    label === undefined ? from : requireLabel(findSlot(settings, joinSlot({ provider, label })))
  const isRenamed = to.name !== from.name
  // A key of the plain route that belongs in one of the slots is moved there first.
  const plain = to.name === settings.defaultProvider ? to : from
  const results = await inRow(owner, plain, async ({ provider: held, takesDefault }, other) => {
    const isMoved = other === null && held === plain.name
    if (!isMoved) throw new VaultError('api_key_exists', { detail: UNUSABLE })
    const mark = makeMark()
    const slot = { userId, provider: to.name, takesDefault: false }
    const read = [selectKey(slot)]
    const event = { ...actorOf(owner), provider: to.name, mark }
    const statements = [
      checkSlot({ userId, provider: from.name, takesDefault }, condition),
      ...(isRenamed ? renamed(from.name, event) : []),
      ...(position === undefined ? [] : placed({ position, isRenamed }, event)),
      ...read,
    ]
    return runMarked(owner, { slot, mark, statements, read })
  })
  const [row] = results.at(-1)?.results ?? []
  if (row === undefined) requireAnyUser(owner)
  const isThere = !isRenamed || results.some(hasRenamed)
  if (row === undefined || !isKeyRow(row) || !isThere) throw new VaultError('no_api_key')
  return { name: isRenamed ? to.name : given, key: await openAndLog(owner, row) }
}

const UNUSABLE =
  'The plain route has a key of this provider that cannot be used. Replace or delete that one first.'

type About = Omit<NewEvent, 'event'>

function renamed(from: string, event: About): Statement<object>[] {
  const { userId, provider: to } = event
  return noted(renameKey({ userId, provider: from }, to), { ...event, event: 'renamed' })
}

function placed(place: Parameters<typeof placeKey>[1], event: About): Statement<object>[] {
  // The event of the new name may have the same time. Another mark gives this one another id.
  const mark = place.isRenamed ? `z.${event.mark}` : event.mark
  return noted(placeKey(event, place), { ...event, event: 'moved', mark })
}

function hasRenamed({ results }: D1Result<object>): boolean {
  return results.some((row) => 'event' in row && row.event === 'renamed')
}
