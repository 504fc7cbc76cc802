/** An owner's slots: lists them, and reads, limits or deletes the key in one. */

import type { Slot } from '../crypto/seal.ts'
import { VaultError } from '../errors.ts'
import type { Provider } from '../providers/provider.ts'
import { readOwner } from '../shared/owner.ts'
import { DEFAULT_SLOT, splitSlot } from '../shared/slot.ts'
import { selectKey, selectKeys, type KeyRow } from '../store/api-keys.ts'
import { run } from '../store/d1.ts'
import { noted } from '../store/noted-events.ts'
import { deleteKey } from '../store/gone-keys.ts'
import { updateLimits, type NewLimits } from '../store/limits.ts'
import { checkSlot, type Condition } from '../store/slot-check.ts'
import { deletionHooks } from './deletion-hooks.ts'
import { publishEvents } from './publish.ts'
import { ALL_SLOTS, look, noteLook } from './look.ts'
import { makeMark, retry, runMarked } from './retry.ts'
import {
  findSlot,
  hasDefault,
  namesOf,
  requireKnown,
  requireLabel,
  slotName,
  type NamedSlot,
} from './slot-name.ts'
import { inRow, moveHere } from './slot-row.ts'
import {
  actorOf,
  EMPTY,
  isKeyRow,
  namesOfSame,
  isOperator,
  openAndLog,
  type SlotOwner,
  type StoredKey,
} from './stored-key.ts'
import { requireAnyUser, userNotFound } from './users.ts'

/** A slot of an owner. */
export interface ListedSlot {
  name: string
  /** Null for the default slot, and for a removed provider. */
  provider: Provider | null
  /** Which of the provider's keys it is, from 0; null for an empty slot, and for the default slot. */
  position: number | null
  key: StoredKey
  /** The names of the owner's other slots with the same key, if it is not a short one. */
  sameIn: readonly string[]
}

/**
 * Every slot of the owner, with or without a key: the default slot, which a team lacks, then those of each provider, then
 * those of removed providers. Of a provider come its keys in their order, then the slot without a label if that is empty. It
 * only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function listSlots(owner: SlotOwner): Promise<ListedSlot[]> {
  const { settings } = owner.service
  const rows = (await readRows(owner)).toSorted((one, other) => one.position - other.position)
  const opening = rows.map(async (row) => openAndLog(owner, row))
  const stored = await Promise.all(opening)
  const keys = new Map(stored.map((key) => [slotName(settings, key.row.provider), key]))
  return orderSlots(owner, [...keys.keys()]).map(({ name, position }) => ({
    name,
    provider: findSlot(settings, name).provider,
    position: name === DEFAULT_SLOT || !keys.has(name) ? null : position,
    key: keys.get(name) ?? EMPTY,
    sameIn: namesOfSame(keys, name),
  }))
}

/** The slots in the order of the list, each with its position among those of its provider. `filled` is in that order too. */
function orderSlots(owner: SlotOwner, filled: readonly string[]) {
  const { settings } = owner.service
  const first = hasDefault(owner) ? [slotName(settings, DEFAULT_SLOT)] : []
  const always = [...first, ...settings.providers.keys()]
  const byProvider = Map.groupBy([...filled, ...always], (name) => splitSlot(name).provider)
  const providers = new Set([...always, ...byProvider.keys()])
  return Array.from(providers).flatMap((provider) =>
    Array.from(new Set(byProvider.get(provider)), (name, position) => ({ name, position })),
  )
}

/** The rows that count. A key of the plain route moves to the slot of `DEFAULT_PROVIDER` first. */
async function readRows(owner: SlotOwner): Promise<KeyRow[]> {
  const { userId, service } = owner
  const { db, settings } = service
  const [{ results: found }] = await look(owner, ALL_SLOTS, [selectKeys(userId)])
  if (found.length === 0) requireAnyUser(owner)
  const { defaultProvider: provider } = settings
  const isMoved = provider === null || !found.some(isPlain)
  if (isMoved) return found.filter(isKeyRow)
  const rows = await moveHere(service, { userId, provider })
  const { results } = await retry(async (ms) => run(db, selectKeys(userId), ms))
  return results.filter(isKeyRow).filter((row) => row.provider !== rows?.other?.provider)
}

function isPlain(row: object): boolean {
  return isKeyRow(row) && row.provider === DEFAULT_SLOT
}

/**
 * The key in the slot.
 *
 * @throws VaultError `unknown_provider`, `user_not_found`, `database_busy`
 */
export async function readSlot(owner: SlotOwner, given: string): Promise<StoredKey> {
  const { settings } = owner.service
  return readKey(owner, requireKnown(owner, findSlot(settings, given)))
}

/**
 * The key in the slot, even if its provider was removed. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function readKey(owner: SlotOwner, slot: NamedSlot): Promise<StoredKey> {
  const [{ results }] = await inRow(owner, slot, async (at) =>
    look(owner, slot.name, [selectKey(at)]),
  )
  const [row] = results
  if (row === undefined) requireAnyUser(owner)
  return row !== undefined && isKeyRow(row) ? openAndLog(owner, row) : EMPTY
}

/**
 * Changes the limits of the key in the slot, with one round trip to D1, and returns the key. If D1 fails, it tries
 * again unless the trail has the event of this change, or of another one since.
 *
 * @throws VaultError `limits_invalid`, `label_invalid`, `unknown_provider`, `user_not_found`, `no_api_key`, `changed_meanwhile`, `database_busy`
 */
export async function setLimits(
  owner: SlotOwner,
  given: string,
  { condition, ...limits }: NewLimits & { condition: Condition | null },
): Promise<StoredKey> {
  const { settings } = owner.service
  if (limits.maxUsesPerMember !== undefined && readOwner(owner.userId).kind === 'user') {
    throw new VaultError('limits_invalid', { detail: OF_A_TEAM })
  }
  const named = requireLabel(findSlot(settings, given))
  const results = await inRow(owner, named, async (slot, other) => {
    const mark = makeMark()
    const read = [selectKey(slot)]
    const changeOf = ({ provider }: Slot) =>
      updateLimits({ ...actorOf(owner), provider, mark }, limits)
    const statements = [
      ...(other?.asRead ?? []),
      ...(condition === null ? [] : [checkSlot(slot, condition)]),
      ...changeOf(slot),
      // Its event would be a second one of this change.
      ...(other === null ? [] : changeOf(other).slice(1)),
      ...read,
    ]
    return runMarked(owner, { slot, mark, statements, read })
  })
  const [row] = results.at(-1)?.results ?? []
  if (row === undefined) requireAnyUser(owner)
  if (row === undefined || !isKeyRow(row)) {
    requireKnown(owner, named)
    throw new VaultError('no_api_key')
  }
  // A change that changes nothing has no event.
  const isSeen = !isOperator(owner) || hasEvent(results)
  if (!isSeen && !(await noteLook(owner, row.provider, 'viewed'))) throw userNotFound(owner)
  return openAndLog(owner, row)
}

const OF_A_TEAM = 'Only the key of a team can have max_uses_per_member.'

function hasEvent(results: readonly D1Result<object>[]): boolean {
  return results.some((result) => result.results.some((row) => 'event' in row))
}

/**
 * Deletes the key in the slot, if there is one, even if its provider was removed.
 *
 * @returns whether there was one
 * @throws VaultError `unknown_provider`, `user_not_found`, `changed_meanwhile`, `database_busy`
 */
export async function deleteSlot(
  owner: SlotOwner,
  given: string,
  condition: Condition | null = null,
): Promise<boolean> {
  const { keyring, settings } = owner.service
  const named = requireLabel(findSlot(settings, given))
  const emptied = { userId: owner.userId, names: namesOf(settings, named), isKnown: named.isKnown }
  const hooks = deletionHooks(keyring.foreign !== null).flatMap((hook) => hook.slot(emptied))
  const results = await inRow(owner, named, async (slot, other) => {
    const mark = makeMark()
    const event = { ...actorOf(owner), event: 'deleted', provider: slot.provider, mark } as const
    const [tombstone, deletion] = deleteKey(slot, 'request')
    const statements = [
      checkSlot(slot, condition),
      ...hooks,
      ...(other === null ? [] : [...other.asRead, ...deleteKey(other, 'request')]),
      tombstone,
      ...noted(deletion, event),
    ]
    return runMarked(owner, { slot, mark, statements, read: [] })
  })
  if (results[0]?.results.length === 0) requireAnyUser(owner)
  const deleted = hasEvent(results)
  if (!deleted) requireKnown(owner, named)
  await publishEvents(owner.service, results)
  return deleted
}
