/** What can be said of a key before it is sent. */

import { sayReason } from '../../callers/browser/problem-text.ts'
import { findTextFault } from '../../callers/browser/key-in-text.ts'
import type { KeyFault } from '../../shared/key-text.ts'
import { covers, DEFAULT_SLOT } from '../../shared/slot.ts'
import type { Language } from './language.ts'
import { findLikelySlots, nameProvider, type ShownSlot } from './slot.ts'

/**
 * A fault keeps the key from being sent, and so does a missing choice. A mismatch asks the user first. A proposal has chosen
 * the provider for the user. A loss warns that the key is lost if the form is closed.
 */
export type Remark =
  | { kind: 'fault'; fault: KeyFault }
  | { kind: 'choice' }
  | { kind: 'loss' }
  | { kind: 'proposal'; instead: ShownSlot }
  | {
      kind: 'mismatch'
      slot: ShownSlot
      likely: readonly ShownSlot[]
      /** The slot that the key seems to be meant for, if it is offered and takes a key without a base URL. */
      instead: ShownSlot | undefined
    }

/** Where a key is about to be saved. */
export interface Aim {
  /** Undefined while nothing is chosen. */
  slot: ShownSlot | undefined
  /** The slots that a key can be saved in. */
  offered: readonly ShownSlot[]
  /** Every slot of the user: the beginnings of their keys tell whose a key is. */
  slots: readonly ShownSlot[]
}

/** How keys of the slots begin. */
export function beginningsOf(slots: readonly ShownSlot[]): string[] {
  return slots.flatMap(({ keyPrefixes }) => keyPrefixes)
}

/** Looks at a trimmed key; null if there is nothing to say. */
export function examineKey(key: string, { slot, offered, slots }: Aim): Remark | null {
  const fault = findTextFault(key, beginningsOf(slots))
  if (fault !== null) return { kind: 'fault', fault }
  const bare = slots.filter(({ label }) => label === null)
  const likely = findLikelySlots(key, bare)
  const [only] = likely.length === 1 ? likely : []
  const instead = offered.find(({ name }) => only && covers(only.name, name))
  if (slot === undefined) return instead === undefined ? null : { kind: 'proposal', instead }
  const fits = likely.length === 0 || likely.some(({ name }) => covers(name, slot.name))
  // An endpoint of the user's own may have keys of any shape.
  if (fits || slot.name === DEFAULT_SLOT || slot.hosts !== null) return null
  const isComplete = instead?.hosts === null
  return { kind: 'mismatch', slot, likely, instead: isComplete ? instead : undefined }
}

/** The remark as a person reads it. */
export function describeRemark(remark: Remark, { say, list }: Language): string {
  const name = (slot: ShownSlot) => nameProvider(slot, say)
  if (remark.kind === 'choice') return say('chooseProvider')
  if (remark.kind === 'loss') return say('pressAgain')
  if (remark.kind === 'proposal') return say('selected', { provider: name(remark.instead) })
  if (remark.kind === 'fault') return sayReason(remark.fault, say)
  const { slot, likely } = remark
  return say('mismatch', { likely: list(likely.map(name)), provider: name(slot) })
}
