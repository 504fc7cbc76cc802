/** What its user can do with a key: one action that its state asks for, and the rest. */

import { offerMoves } from './offer.ts'
import { canBeChecked, isOffered, keysBeside, readableKey, type ShownSlot } from './slot.ts'

/** What a row can open to besides its details. */
export type Panel = 'replace' | 'setProvider' | 'name' | 'limits' | 'activity'

/** The name of an action's text. A {@link Panel} is opened. */
export type Action = Panel | 'addCredit' | 'test' | 'pause' | 'resume' | 'delete'

/** The slots of a user, and those that a key can be saved in. */
export interface Choices {
  slots: readonly ShownSlot[]
  offered: readonly ShownSlot[]
}

/** All actions in the order of the menu, `delete` last. */
export function listActions(slot: ShownSlot, { slots, offered }: Choices): Action[] {
  const key = readableKey(slot)
  const isOurs = isOffered(slot)
  const canLimit = isOurs && key !== null
  // One key of a provider needs no name.
  const canName = canLimit && (slot.label !== null || keysBeside(slots, slot).length > 1)
  const canAddCredit = slot.billingPage !== null && (key?.exhaustedAt ?? null) !== null
  const can: [action: Action, isPossible: boolean][] = [
    ['addCredit', canAddCredit],
    ['setProvider', offerMoves(slot, offered).length > 0],
    ['test', slot.provider !== null && canBeChecked(slot)],
    ['replace', isOurs && slot.key !== 'unavailable'],
    ['resume', canLimit && key.isPaused],
    ['pause', canLimit && !key.isPaused],
    ['limits', canLimit],
    ['name', canName],
    ['activity', true],
    ['delete', true],
  ]
  return can.flatMap(([action, isPossible]) => (isPossible ? action : []))
}

/**
 * The one of them that the row shows: what the state of the key asks for, otherwise a test. Undefined if the key needs
 * none of these.
 */
export function chooseAction(
  actions: readonly Action[],
  asked: readonly Action[],
): Action | undefined {
  return [...asked, ...USUAL].find((action) => actions.includes(action))
}

const USUAL: readonly Action[] = ['setProvider', 'test', 'replace']
