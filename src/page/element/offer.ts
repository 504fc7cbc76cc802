/** The slots that are offered for a new key: the attribute `providers`. */

import { DEFAULT_SLOT } from '../../shared/slot.ts'
import { isOffered, type ShownSlot } from './slot.ts'

/** The names in the attribute; null without it. */
export function nameProviders(attribute: string | null): string[] | null {
  return attribute?.split(/\s+/).filter((name) => name !== '') ?? null
}

/**
 * The slots that a key can be saved in, in the order of the attribute. Without it, the default slot is not
 * among them: scripts use it, not people.
 */
export function offerSlots(slots: readonly ShownSlot[], attribute: string | null): ShownSlot[] {
  const free = slots.filter((slot) => isOffered(slot) && slot.key !== 'unavailable')
  const names = nameProviders(attribute)
  if (names === null) return free.filter(({ name }) => name !== DEFAULT_SLOT)
  return Array.from(new Set(names)).flatMap((name) => free.filter((slot) => slot.name === name))
}
