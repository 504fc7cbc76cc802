/** The keys as the list shows them, and what has happened to them. */

import { needsAttention } from './key-status.ts'
import type { Language } from './language.ts'
import { describeElsewhere, type Notice, type ShownSlot } from './slot.ts'

/** What is said of slots, by their names. */
export type Said = ReadonlyMap<string, Notice>

/** The names of the slots whose keys need attention. */
export function findUrgent(slots: readonly ShownSlot[], language: Language): Set<string> {
  return new Set(slots.filter((slot) => needsAttention(slot, language)).map(({ name }) => name))
}

/**
 * The slots with a row: those with a key, and those that are `kept`. Those in `urgent` are first. No row moves when its key is
 * mended, so that nothing moves under the pointer.
 */
export function listRows(
  slots: readonly ShownSlot[],
  kept: (name: string) => boolean,
  urgent: ReadonlySet<string>,
): ShownSlot[] {
  const rows = slots.filter(({ key, name }) => key !== null || kept(name))
  const rank = ({ name }: ShownSlot) => (urgent.has(name) ? 0 : 1)
  return rows.toSorted((one, other) => rank(one) - rank(other))
}

/** The slots `after` another reading. One that was there `before` stays where it was, without its key. */
export function mergeSlots(before: readonly ShownSlot[], after: readonly ShownSlot[]): ShownSlot[] {
  const merged = [...after]
  for (const [at, slot] of before.entries()) {
    if (after.some(({ name }) => name === slot.name)) continue
    const place = merged.findIndex(({ name }) => name === before[at - 1]?.name) + 1
    merged.splice(place, 0, { ...slot, key: null, etag: null, lag: 0 })
  }
  return merged
}

/** What something else has changed between two readings. */
export function describeChanges(
  before: readonly ShownSlot[],
  after: readonly ShownSlot[],
  { say }: Language,
): Map<string, Notice> {
  const etags = new Map(before.map(({ name, etag }) => [name, etag]))
  const changed = after.filter(({ name, etag }) => (etags.get(name) ?? null) !== etag)
  return new Map(changed.map((slot) => [slot.name, describeElsewhere(slot, say)]))
}
