/** A user's slots: list them, and read or delete the key in one. */

import { isMovingIn } from '../crypto/keyring.ts'
import type { Slot } from '../crypto/seal.ts'
import type { Provider } from '../providers/provider.ts'
import type { Settings } from '../settings.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { deleteKey, selectKey, selectKeys, type KeyRow, type RowNames } from '../store/api-keys.ts'
import { run, type Statement } from '../store/d1.ts'
import { noteKeyEvent } from '../store/events.ts'
import { noteKnown } from '../store/fingerprints.ts'
import { noteGoneVersions } from '../store/gone-keys.ts'
import { noteKeyDeleted } from '../store/imported-keys.ts'
import { noteReplaced } from '../store/kids.ts'
import { selectUser } from '../store/users.ts'
import { requireVersion, type Condition } from '../store/versions.ts'
import { publishEvents } from './publish.ts'
import { makeMark, retry, runMarked } from './retry.ts'
import { findSlot, rowNames, slotName } from './slot-name.ts'
import {
  actorOf,
  EMPTY,
  isKeyRow,
  openAndLog,
  type SlotOwner,
  type StoredKey,
} from './stored-key.ts'
import { requireAnyUser } from './users.ts'

/** A slot of a user. */
export interface ListedSlot {
  name: string
  /** Null for the default slot, and for a removed provider. */
  provider: Provider | null
  key: StoredKey
}

/**
 * Every slot of the user, with or without a key: the default slot, then one per provider, then those of
 * removed providers. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function listSlots(owner: SlotOwner): Promise<ListedSlot[]> {
  const { db, settings } = owner.service
  const { results } = await retry(async (ms) => run(db, selectKeys(owner.userId), ms))
  if (results.length === 0) requireAnyUser(owner)
  const rows = laterRows(settings, results.filter(isKeyRow))
  const opening = Array.from(
    rows,
    async ([name, row]) => [name, await openAndLog(owner, row)] as const,
  )
  const keys = new Map(await Promise.all(opening))
  const first = slotName(settings, DEFAULT_SLOT)
  const names = new Set([first, ...settings.providers.keys(), ...keys.keys()])
  return Array.from(names, (name) => ({
    name,
    provider: settings.providers.get(name) ?? null,
    key: keys.get(name) ?? EMPTY,
  }))
}

/** The row of each slot. Of two rows it is the later one, or its own if both are as old, as in `selectKey`. */
function laterRows(settings: Settings, rows: readonly KeyRow[]): Map<string, KeyRow> {
  const chosen = new Map<string, KeyRow>()
  for (const row of rows) {
    const name = slotName(settings, row.provider)
    const known = chosen.get(name)
    const isOwn = row.provider === name
    const isLater =
      known === undefined ||
      known.updatedAt < row.updatedAt ||
      (isOwn && known.updatedAt === row.updatedAt)
    if (isLater) chosen.set(name, row)
  }
  return chosen
}

/**
 * The key in the slot.
 *
 * @throws VaultError `unknown_provider`, `user_not_found`, `database_busy`
 */
export async function readSlot(owner: SlotOwner, name: string): Promise<StoredKey> {
  findSlot(owner.service.settings, name)
  return readKey(owner, name)
}

/**
 * The key in the slot, even if its provider was removed.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function readKey(owner: SlotOwner, name: string): Promise<StoredKey> {
  const { settings } = owner.service
  return readRow(owner, rowNames(settings, slotName(settings, name)))
}

/**
 * The key in the later of the rows. It only reads, so it is tried again if D1 fails.
 *
 * @throws VaultError `user_not_found`, `database_busy`
 */
export async function readRow(owner: SlotOwner, names: RowNames): Promise<StoredKey> {
  const { db } = owner.service
  const [row] = (await retry(async (ms) => run(db, selectKey(owner.userId, names), ms))).results
  if (row === undefined) requireAnyUser(owner)
  return row !== undefined && isKeyRow(row) ? openAndLog(owner, row) : EMPTY
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
  const { userId } = owner
  const { db, keyring, settings } = owner.service
  const name = slotName(settings, given)
  const names = rowNames(settings, name)
  const mark = makeMark()
  const event = { ...actorOf(owner), event: 'deleted', provider: name, mark } as const
  const slots = names.map((provider) => ({ userId, provider }))
  const isKnown = name === DEFAULT_SLOT || settings.providers.has(name)
  const notes = isMovingIn(keyring) ? slots.map((slot) => noteKeyDeleted(slot, isKnown)) : []
  const statements = [
    selectUser(userId),
    ...(condition === null ? [] : [requireVersion(userId, names, condition)]),
    noteKeyEvent(event, names),
    noteKnown(userId, names),
    noteGoneVersions(userId, names),
    ...notes,
    ...slots.flatMap(deleteRow),
  ]
  const results = await runMarked(db, { userId, mark, statements, read: [] })
  if (results[0]?.results.length === 0) requireAnyUser(owner)
  const deleted = results.some((result) => result.results.some((row) => 'event' in row))
  if (!deleted) findSlot(settings, given)
  await publishEvents(owner.service, results)
  return deleted
}

function deleteRow(row: Slot): Statement[] {
  return [noteReplaced(row), deleteKey(row)]
}
