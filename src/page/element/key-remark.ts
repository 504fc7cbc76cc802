/** What can be said of a key before it is sent: that it is malformed, or meant for another provider. */

import { findKeyAlone, nameKeyFault } from '../../shared/key-text.ts'
import { DEFAULT_SLOT } from '../../shared/slot.ts'
import { findLikelySlots, nameSlot, type ShownSlot } from './slot.ts'

/**
 * A fault of the key, or of the choice, keeps it from being sent; a mismatch asks; a proposal chooses
 * where nothing is chosen.
 */
export interface Remark {
  kind: 'fault' | 'choice' | 'mismatch' | 'proposal'
  text: string
  /** Whether the key is in the text, with something around it. */
  hasKey?: boolean
  /** The slot that the key seems to be meant for, if it may be saved there. */
  instead?: ShownSlot | undefined
}

/** Where a key is about to be saved. */
export interface Aim {
  /** Undefined while nothing is chosen. */
  slot: ShownSlot | undefined
  /** The slots that can be chosen. */
  choices: readonly ShownSlot[]
  /** Every slot of the user: their keys' beginnings tell whose a key is. */
  slots: readonly ShownSlot[]
}

/** Looks at a trimmed key; null where nothing is to be said. */
export function examineKey(key: string, { slot, choices, slots }: Aim): Remark | null {
  const fault = nameKeyFault(key, 'The key')
  if (fault !== null) return { kind: 'fault', text: fault, hasKey: findKeyAlone(key) !== null }
  const likely = findLikelySlots(key, slots)
  const instead =
    likely.length === 1 ? choices.find(({ name }) => name === likely[0]?.name) : undefined
  if (slot === undefined) return instead === undefined ? null : propose(instead)
  const fits = likely.length === 0 || likely.some(({ name }) => name === slot.name)
  // An endpoint of the user's own may have keys of any shape.
  if (fits || slot.name === DEFAULT_SLOT || slot.hosts !== null) return null
  const whose = likely.map(nameSlot).join(' or ')
  const text = `This looks like a key of ${whose}, not of ${nameSlot(slot)}.`
  return { kind: 'mismatch', text, instead }
}

function propose(instead: ShownSlot): Remark {
  const text = `${nameSlot(instead)} is chosen, since this looks like a key of theirs.`
  return { kind: 'proposal', text, instead }
}
