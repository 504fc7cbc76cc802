/**
 * A slot is one row. With `DEFAULT_PROVIDER`, a key that was saved through the plain route before moves to the row of that
 * provider's slot before anything else happens there.
 */

import { openKey, type Slot } from '../crypto/seal.ts'
import { VaultError } from '../errors.ts'
import type { Service } from '../service.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { selectKeys, type KeyRow, type SlotRow } from '../store/api-keys.ts'
import { isNotMoved, run, runBatch } from '../store/d1.ts'
import { noted } from '../store/events.ts'
import { deleteKey } from '../store/gone-keys.ts'
import { moveKeys, writeLimits } from '../store/moved-keys.ts'
import { checkSlot, tagOf } from '../store/slot-check.ts'
import type { Statement } from '../store/statement.ts'
import { keepLimits } from './limits.ts'
import { publishEvents } from './publish.ts'
import { isKeyRow, sealText, type SlotOwner } from './stored-key.ts'

/**
 * Does the work on the row of the slot `name`. If the work finds a key of the plain route that belongs there too, that is
 * moved first: see `checkSlot`.
 *
 * @throws as the work, and VaultError `database_busy`
 */
export async function inRow<T>(
  owner: SlotOwner,
  name: string,
  work: (row: SlotRow) => Promise<T>,
): Promise<T> {
  const { userId, service } = owner
  const slot = { userId, provider: name }
  try {
    return await work({ ...slot, takesDefault: name === service.settings.defaultProvider })
  } catch (error) {
    if (!isNotMoved(error)) throw error
  }
  const row = await moveHere(service, slot)
  return row === null ? inRow(owner, name, work) : work({ ...row, takesDefault: false })
}

/**
 * Moves the user's key of the plain route to the slot. If the slot has a key too, the one that was saved later counts,
 * with the stricter limits of both, and the other one goes.
 *
 * @returns null; if the later key does not open, it stays where it is, and the slot's row is returned
 * @throws VaultError `database_busy`
 */
export async function moveHere(service: Service, slot: Slot): Promise<Slot | null> {
  const { results } = await run(service.db, selectKeys(slot.userId))
  const rows = results.filter(isKeyRow)
  const plain = rows.find(({ provider }) => provider === DEFAULT_SLOT)
  const own = rows.find(({ provider }) => provider === slot.provider)
  if (plain === undefined) return null
  const isOwnLater = own !== undefined && own.updatedAt >= plain.updatedAt
  const moves = isOwnLater ? [] : await move(service, plain, slot)
  if (moves === null) return { userId: slot.userId, provider: (own ?? plain).provider }
  const [kept, gone] = isOwnLater ? [own, plain] : [plain, own]
  const statements =
    gone === undefined
      ? moves
      : [...replace(gone, kept), ...moves, writeLimits(slot, keepLimits(kept, gone))]
  const written = await runBatch(service.db, statements).catch((error: unknown) => {
    if (VaultError.from(error).code !== 'changed_meanwhile') throw error
    return []
  })
  await publishEvents(service, written)
  return null
}

/** The statements that move a key; null if it does not open. */
async function move(
  { keyring }: Service,
  row: KeyRow,
  slot: Slot,
): Promise<Statement<object>[] | null> {
  const opened = await openKey(keyring, row)
  if (opened.state === 'unreadable') return null
  return moveKeys(slot.provider, [
    { from: row.sealed, to: await sealText(keyring, slot, opened.text) },
  ])
}

/** Deletes the key in the row `gone`, if both rows are as they were read. */
function replace(gone: KeyRow, kept: KeyRow): Statement<object>[] {
  const unchanged = [gone, kept].map((row) =>
    checkSlot({ ...row, takesDefault: false }, [{ kind: 'tagged', tags: [tagOf(row)] }]),
  )
  const { userId, provider } = gone
  const event = { userId, provider, event: 'deleted', by: { kind: 'job' } } as const
  const [tombstone, deletion] = deleteKey(gone, 'operator')
  return [...unchanged, tombstone, ...noted(deletion, event)]
}
