/** What the clients know of a slot, and whether the vault still knows it after a kill. */

import { isDeepStrictEqual } from 'node:util'
import { eventOf, NO_LIMITS, type KeyLimits } from './limits.ts'

/** A key as a client sees it. Null stands for an empty slot. */
export type SeenKey = { preview: string; tag: string; limits: KeyLimits } | null

/** A request that changes a slot: it saves a key, changes a limit of it, or deletes it. */
export type Change = { requestId: string } & (
  | { method: 'PUT'; preview: string }
  | { method: 'PATCH'; limits: Partial<KeyLimits> }
  | { method: 'DELETE' }
)

/** An event of the trail. */
export interface SeenEvent {
  event: string
  request_id?: string
}

/** A slot, with all that is acknowledged. One client at a time changes it. */
export interface Slot {
  /** Who changes it. */
  userId: string
  /** The team whose slot it is; if it is missing, it is the user's. */
  team?: string
  /** The name of the slot: `openai`, `openai:work`. */
  provider: string
  key: SeenKey
  /** The event that each change has to have in the trail, by the id of its request. */
  events: Map<string, string>
  /** The identities of the keys that are gone. */
  gone: Set<string>
  /** The change that is not acknowledged yet. */
  pending: Change | null
}

/** What the vault shows of a slot. */
export interface Shown {
  key: SeenKey
  events: readonly SeenEvent[]
}

/** Notes a change that the vault has made. `tag` is the key's entity tag from then on. */
export function noteMade(slot: Slot, change: Change, tag: string): void {
  const { key } = slot
  slot.pending = null
  if (change.method === 'PATCH') {
    if (key === null) return
    const limits = { ...key.limits, ...change.limits }
    // Nothing is noted of a PATCH that changes nothing.
    if (!isDeepStrictEqual(limits, key.limits)) {
      slot.events.set(change.requestId, eventOf(change.limits))
    }
    slot.key = { ...key, tag, limits }
    return
  }
  if (key !== null) slot.gone.add(identityOf(key.tag))
  if (change.method === 'DELETE') {
    if (key !== null) slot.events.set(change.requestId, 'deleted')
    slot.key = null
    return
  }
  slot.events.set(change.requestId, key === null ? 'saved' : 'replaced')
  // A save ends the expiry, and the other limits stay.
  const limits = { ...(key?.limits ?? NO_LIMITS), expires_at: null }
  slot.key = { preview: change.preview, tag, limits }
}

/** The identity in an entity tag: `"<identity>.<revision>"`. */
function identityOf(tag: string): string {
  return tag.replace(/^"(.*)\..*$/, '$1')
}

/**
 * Compares what the vault shows after a kill with what was acknowledged. The change that was under way may have been
 * made, with its event, or not at all.
 *
 * @returns what is wrong, one sentence each
 */
export function findLosses(slot: Slot, { key, events }: Shown): string[] {
  const { pending } = slot
  const isMade = events.some((event) => event.request_id === pending?.requestId)
  if (pending !== null && isMade) noteMade(slot, pending, key?.tag ?? '')
  slot.pending = null
  const name = nameOf(slot)
  const wrong: string[] = []
  if (textOf(key) !== textOf(slot.key)) {
    wrong.push(`${name} shows ${textOf(key)}, not ${textOf(slot.key)}`)
  }
  for (const [id, kind] of slot.events) {
    if (events.some(({ event, request_id: by }) => by === id && event === kind)) continue
    wrong.push(`${name} has no event ${kind} of the request ${id}`)
  }
  if (events.length > slot.events.size) {
    wrong.push(`${name} has ${events.length} events of ${slot.events.size} changes`)
  }
  return wrong
}

/**
 * Looks in both stores for the keys of a slot that are gone.
 *
 * @returns what is wrong, one sentence each
 */
export function findForgotten(slot: Slot, gone: ReadonlySet<string>): string[] {
  const name = nameOf(slot)
  return [...slot.gone.difference(gone)].map(
    (identity) => `${identity} of ${name} is gone, but no store says so`,
  )
}

/** The owner and the slot, in words. */
export function nameOf({ userId, team, provider }: Slot): string {
  return `${team === undefined ? userId : `team ${team}`}/${provider}`
}

function textOf(key: SeenKey): string {
  if (key === null) return 'no key'
  return `${key.preview} of ${key.tag} with ${JSON.stringify(key.limits)}`
}
