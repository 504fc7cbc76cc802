/** The conditions of a change: a statement that aborts the batch if one is false. */

import { isAlone, type KeyRow, type SlotRow } from './api-keys.ts'
import { splitSlot, foldSlot } from '../shared/slot.ts'
import { refuse, type Statement } from './d1.ts'
import { hasRoom } from './slot-order.ts'

/** What must be true of a slot for a change to happen. */
export type Condition =
  | { kind: 'present' }
  | { kind: 'empty' }
  /** The slot is empty. `isMatched`: an `If-Match` also requires a key, so an empty slot fails too. */
  | { kind: 'vacant'; isMatched: boolean }
  /** The slot has one of these tags; null stands for an empty slot. */
  | { kind: 'tagged'; tags: readonly (string | null)[] }
  /** The row is as it was read to move a key. Otherwise what has to move has to be found out again. */
  | { kind: 'as read'; tags: readonly string[] }

/** The tag of a row in SQL: it changes with each change that the owner of the key makes. */
const TAG = "api_keys.identity || '.' || revision"

/** A row's {@link TAG}. */
export function tagOf({ identity, revision }: Pick<KeyRow, 'identity' | 'revision'>): string {
  return `${identity}.${revision}`
}

/** A slot before a change. */
export interface Checked {
  /** Null for an empty slot. */
  tag: string | null
}

/**
 * Fails unless the condition is true. Otherwise it returns a row if the user exists, and none if not. A key of the plain
 * route has to be moved before: the condition may be about that one. With `needsRoom`, it also fails if the slot is empty
 * and cannot have a key.
 */
export function checkSlot(
  { userId, provider, takesDefault }: SlotRow,
  condition: Condition | null = null,
  needsRoom = false,
): Statement<Checked> {
  const fault = condition === null ? '' : faultOf(condition)
  const tags = condition !== null && 'tags' in condition ? condition.tags : []
  const room = needsRoom ? [foldSlot(provider), splitSlot(provider).provider] : []
  return {
    sql: `SELECT CASE WHEN NOT ${isAlone(takesDefault)} THEN NULL
              ${needsRoom ? roomFault(provider) : ''} ${fault} ELSE tag END AS tag
          FROM (
            SELECT ${TAG} AS tag FROM users LEFT JOIN api_keys ON user_id = id AND provider = ?2
            WHERE id = ?1
          ), (SELECT ?3 AS tags)`,
    values: [userId, provider, JSON.stringify(tags), ...room],
  }
}

function roomFault(name: string): string {
  const twin = 'SELECT 1 FROM api_keys WHERE user_id = ?1 AND folded = ?4'
  return `WHEN tag IS NULL AND EXISTS (${twin}) THEN ${refuse('label_taken')}
    WHEN tag IS NULL AND NOT ${hasRoom(name, { slot: '?2', provider: '?5' })} THEN NULL`
}

function faultOf(condition: Condition): string {
  const { kind } = condition
  if (kind === 'vacant') {
    const unmatched = condition.isMatched ? `WHEN TRUE THEN ${refuse('slot_empty')}` : ''
    return `WHEN tag IS NOT NULL THEN ${refuse('slot_taken')} ${unmatched}`
  }
  if (kind === 'present') return `WHEN tag IS NULL THEN ${refuse('slot_empty')}`
  if (kind === 'empty') return `WHEN tag IS NOT NULL THEN ${refuse('slot_filled')}`
  const isTagged = `EXISTS (SELECT 1 FROM json_each(tags) WHERE value IS tag)`
  return `WHEN NOT ${isTagged} THEN ${refuse(kind === 'tagged' ? 'changed' : 'not_moved')}`
}
