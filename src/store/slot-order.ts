/** The keys that an owner has of one provider: how many, and in which order. */

import { DEFAULT_SLOT, MAX_KEYS, splitSlot } from '../shared/slot.ts'
import { refuse } from './d1.ts'

/** Whether a row has a labelled key of the provider, in SQL: `;` follows `:` in ASCII. An index has these rows alone. */
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

/** The other keys of the provider that the owner `?1` has. A slot without a label needs no row of its own for that. */
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
