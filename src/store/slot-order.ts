/** The keys that an owner has of one provider: how many, and in which order. */

import type { Slot } from '../crypto/seal.ts'
import { DEFAULT_SLOT, foldSlot, MAX_KEYS, splitSlot } from '../shared/slot.ts'
import { refuse, type Statement } from './d1.ts'

/** Whether a row has a labelled key of the provider, in SQL: `;` follows `:` in ASCII. An index has only these rows. */
const isLabelled = (provider: string) =>
  `folded > ${provider} || ':' AND folded < ${provider} || ';'`

/** Whether a row has a key of the provider, in SQL. */
const isOf = (provider: string) => `(provider = ${provider} OR ${isLabelled(provider)})`

/** The position after all labelled keys of the provider that an owner has, in SQL. */
export const afterLabelled = (owner: string, provider: string) =>
  `(SELECT coalesce(max(position) + 1, 0) FROM api_keys AS other
    WHERE other.user_id = ${owner} AND ${isLabelled(provider)})`

/** Parameters in SQL. */
interface NamedSlot {
  slot: string
  provider: string
}

/** The other keys of the provider that the owner `?1` has. For a slot without a label, these are all labelled keys. */
function otherKeys(name: string, { slot, provider }: NamedSlot): string {
  const isOther =
    splitSlot(name).label === null
      ? isLabelled(provider)
      : `${isOf(provider)} AND provider <> ${slot}`
  return `FROM api_keys WHERE user_id = ?1 AND ${isOther}`
}

/** Selects `value` over the other keys, in SQL. It fails if there are as many as there can be, and the slot is empty. */
function overOthers(name: string, parameters: NamedSlot, value: string): string {
  const own = `SELECT 1 FROM api_keys WHERE user_id = ?1 AND provider = ${parameters.slot}`
  return `(SELECT CASE WHEN count(*) >= ${MAX_KEYS} AND NOT EXISTS (${own}) THEN ${refuse('too_many_keys')}
      ELSE ${value} END ${otherKeys(name, parameters)})`
}

/** The position of a new key of the owner `?1`, in SQL: after all others. It fails if there are too many. */
export function newPosition(name: string, parameters: NamedSlot): string {
  return name === DEFAULT_SLOT
    ? '0'
    : overOthers(name, parameters, 'coalesce(max(position) + 1, 0)')
}

/** True, in SQL. It fails if the slot of the owner `?1` is empty, and there are too many other keys. */
export function hasRoom(name: string, parameters: NamedSlot): string {
  return overOthers(name, parameters, 'TRUE')
}

/**
 * Gives the key in the slot another label. It stays the same key, and nothing is sealed again. It fails if the slot `to` has
 * a key, or if another label differs from it only in case.
 */
export function renameKey({ userId, provider }: Slot, to: string): Statement {
  return {
    sql: `UPDATE api_keys SET provider = ?3, folded = ?4, revision = revision + 1
          WHERE user_id = ?1 AND provider = ?2`,
    values: [userId, provider, to, foldSlot(to)],
    changes: userId,
  }
}

/** Where a key goes. */
interface Place {
  /** The number of keys of its provider before it. If there are fewer keys, it is last. */
  position: number
  /** Whether the statement before it renames the key. Both are then one change. If that one renamed nothing, no key moves. */
  isRenamed: boolean
}

/**
 * Moves the key in the slot to another place among those of its provider. The others keep their order and their revisions.
 * It changes no row if the key is there already.
 */
export function placeKey({ userId, provider }: Slot, { position, isRenamed }: Place): Statement {
  return {
    // Of the others, `place` is the rank without this key.
    sql: `WITH ranked AS (
            SELECT provider AS slot, row_number() OVER (ORDER BY position, provider) - 1 AS rank,
              row_number() OVER (PARTITION BY provider = ?2 ORDER BY position, provider) - 1 AS place,
              min(?4, count(*) OVER () - 1) AS target
            FROM api_keys WHERE user_id = ?1 AND ${isOf('?3')}
          ), placed AS (
            SELECT slot, rank, iif(slot = ?2, target, place + (place >= target)) AS next FROM ranked
          )
          UPDATE api_keys SET position = next, revision = revision + (provider = ?2 AND NOT ?5) FROM placed
          WHERE user_id = ?1 AND provider = slot AND (provider = ?2 OR position <> next)
            AND EXISTS (SELECT 1 FROM placed WHERE slot = ?2 AND rank <> next)
            ${isRenamed ? 'AND changes() > 0' : ''}`,
    values: [userId, provider, splitSlot(provider).provider, position, isRenamed ? 1 : 0],
    changes: userId,
  }
}
