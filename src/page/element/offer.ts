/** The slots that are offered for a new key: the attribute `providers`. */

import { DEFAULT_SLOT } from '../../shared/slot.ts'
import { canBeChecked, findSlot, isOffered, type ShownSlot } from './slot.ts'

/** The names in the attribute; null without it. */
export function nameProviders(attribute: string | null): string[] | null {
  return attribute?.split(/\s+/).filter((name) => name !== '') ?? null
}

/**
 * The slots that a key can be saved in, in the order of the attribute. Without it, the default slot is not
 * among them: scripts use it, not people.
 */
export function offerSlots(slots: readonly ShownSlot[], attribute: string | null): ShownSlot[] {
  const names = nameProviders(attribute)
  const named =
    names === null
      ? slots.filter(({ name, label }) => name !== DEFAULT_SLOT && label === null)
      : Array.from(new Set(names)).flatMap((name) => findSlot(slots, name) ?? [])
  return named.filter((slot) => isOffered(slot) && slot.key !== 'unavailable')
}

/**
 * Those of the offered slots that the key in `slot` can move to. Only the key of the default slot can move. The
 * host application reads a key where it offers one: a key that moves elsewhere is lost to it.
 */
export function offerMoves(slot: ShownSlot, offered: readonly ShownSlot[]): ShownSlot[] {
  if (slot.name !== DEFAULT_SLOT || !canBeChecked(slot)) return []
  return offered.filter(
    ({ provider, key, hosts }) => provider !== null && key === null && hosts === null,
  )
}
