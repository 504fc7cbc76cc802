/**
 * A slot is one row. With `DEFAULT_PROVIDER`, a key that was saved through the plain route before moves to the row of that
 * provider's slot before anything else happens there.
 */

import { openKey, type Slot } from '../crypto/seal.ts'
import type { Service } from '../service.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { selectKeys, type KeyRow, type SlotRow } from '../store/api-keys.ts'
import { isNotMoved, runBatch, type Statement } from '../store/d1.ts'
import { noted } from '../store/noted-events.ts'
import { deleteKey } from '../store/gone-keys.ts'
import { moveKeys } from '../store/resealed-keys.ts'
import { writeLimits } from '../store/limits.ts'
import { checkSlot, tagOf } from '../store/slot-check.ts'
import { isGone, readHeartbeat } from './gone.ts'
import { keepLimits, shareLimits } from './limits.ts'
import { publishEvents } from './publish.ts'
import type { NamedSlot } from './slot-name.ts'
import { isKeyRow, sealText, type SlotOwner } from './stored-key.ts'

/** The rows of a slot. */
export interface Rows {
  row: Slot
  other: OtherRow | null
}

/** The row of a later key that cannot be used. What its owner does to the slot is done to it too. */
export interface OtherRow extends Slot {
  /** They come first in a change of both rows, and fail unless both are as they were read. */
  asRead: readonly Statement<object>[]
}

/**
 * Does the work on the row of the slot. If the work finds a key of the plain route that belongs there too, that is
 * moved first: see `checkSlot`.
 *
 * @throws as the work, and VaultError `database_busy`
 */
export async function inRow<T>(
  owner: SlotOwner,
  { name }: NamedSlot,
  work: (row: SlotRow, other: OtherRow | null) => Promise<T>,
): Promise<T> {
  const { userId, service } = owner
  const slot = { userId, provider: name }
  for (let rows: Rows | null = null; ;) {
    const takesDefault: boolean = rows === null && name === service.settings.defaultProvider
    const { row = slot, other = null }: Partial<Rows> = rows ?? {}
    try {
      // oxlint-disable-next-line no-await-in-loop -- it works on what the last move has left
      return await work({ ...row, takesDefault }, other)
    } catch (error) {
      if (!isNotMoved(error)) throw error
    }
    // oxlint-disable-next-line no-await-in-loop
    rows = await moveHere(service, slot)
  }
}

/**
 * Moves the user's key of the plain route to the slot. If the slot has a key too, the one that was saved later counts,
 * with the stricter limits of both, and the other one goes.
 *
 * @returns null if the work can be tried again on the slot's own row. If the later key does not open, or is gone and was
 * restored, no key moves or goes. Both get the same limits, and then the rows are returned: the earlier key counts.
 * @throws VaultError `database_busy`
 */
export async function moveHere(service: Service, slot: Slot): Promise<Rows | null> {
  const statements = [selectKeys(slot.userId), ...readHeartbeat(service.settings)] as const
  const [read, beat] = await runBatch(service.db, statements)
  const rows = read.results.filter(isKeyRow)
  const plain = rows.find(({ provider }) => provider === DEFAULT_SLOT)
  const own = rows.find(({ provider }) => provider === slot.provider)
  if (plain === undefined) return null
  const isOwnLater = own !== undefined && own.updatedAt >= plain.updatedAt
  const [later, earlier] = isOwnLater ? [own, plain] : [plain, own]
  const opened = await openKey(service.keyring, later)
  const isUsable = earlier === undefined || !(await isGone(service, later, beat?.results[0]))
  if (opened.state === 'open' && isUsable) {
    const moves = isOwnLater ? [] : await move(service, { row: plain, slot, text: opened.text })
    await write(service, [...(earlier === undefined ? [] : replace(earlier, later)), ...moves])
    return null
  }
  if (earlier === undefined) return { row: later, other: null }
  const changes = share(earlier, later)
  if (changes.length === 0) {
    return { row: earlier, other: { ...later, asRead: asRead([earlier, later]) } }
  }
  await write(service, changes)
  return null
}

/** Writes the changes, unless a row has changed since it was read. */
async function write(service: Service, changes: Statement<object>[]): Promise<void> {
  if (changes.length === 0) return
  const written = await runBatch(service.db, changes).catch((error: unknown) => {
    if (!isNotMoved(error)) throw error
    return []
  })
  await publishEvents(service, written)
}

/** Moves the key of a row. It stays if it has been sealed again since it was read. */
async function move(
  { keyring }: Service,
  { row, slot, text }: { row: KeyRow; slot: Slot; text: string },
): Promise<Statement<object>[]> {
  return moveKeys(slot.provider, [{ row, to: await sealText(keyring, slot, text) }])
}

/** Deletes the key in the row `gone`. The key in `kept` takes over its limits, so that they hold wherever that key is. */
function replace(gone: KeyRow, kept: KeyRow): Statement<object>[] {
  const { userId, provider } = gone
  const event = { userId, provider, event: 'deleted', by: { kind: 'job' } } as const
  const [tombstone, deletion] = deleteKey(gone, 'operator')
  return [
    ...asRead([gone, kept]),
    writeLimits(kept, keepLimits(kept, gone)),
    tombstone,
    ...noted(deletion, event),
  ]
}

/** Gives both keys the stricter limits of both; nothing if they have the same. */
function share(used: KeyRow, other: KeyRow): Statement<object>[] {
  const limits = shareLimits(used, other)
  if (limits === null) return []
  // The uses of both count as those of the key that is used.
  return [
    ...asRead([used, other]),
    writeLimits(used, limits),
    writeLimits(other, { ...limits, uses: 0 }),
  ]
}

/** Fails unless the rows are as they were read. */
function asRead(rows: readonly KeyRow[]): Statement<object>[] {
  return rows.map((row) =>
    checkSlot({ ...row, takesDefault: false }, { kind: 'as read', tags: [tagOf(row)] }),
  )
}
