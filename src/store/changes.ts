/** When this isolate last changed the keys of an owner, so that it forgets what it read before. Only if something is kept. */

import { Kept } from '../shared/kept.ts'

/** Of the owners that are known one by one. For the rest, an earlier read counts as old. */
const MOST_BYTES = 1024 * 1024

/** Numbers in the order in which reads and changes began, and changes ended. */
interface Changes {
  latest: number
  /** The last change of an owner who is not in `changed`. */
  ofOthers: number
  changed: Kept<number>
}

const watched = new WeakMap<D1Database, Changes>()

/** Begins to read. The number tells {@link isUnchanged} when. */
export function beginRead(db: D1Database): number {
  const changes = watched.get(db) ?? { latest: 0, ofOthers: 0, changed: new Kept(MOST_BYTES) }
  watched.set(db, changes)
  changes.latest += 1
  return changes.latest
}

/** Whether no change of these owners was under way since the read began, or has begun since. */
export function isUnchanged(db: D1Database, begun: number, owners: readonly string[]): boolean {
  const changes = watched.get(db)
  if (changes === undefined) return false
  return owners.every((owner) => begun > (changes.changed.get(owner) ?? changes.ofOthers))
}

/** Makes old what was read of the owner's keys, or of everybody's, until now. */
export function markChanged(db: D1Database, owner?: string): void {
  const changes = watched.get(db)
  if (changes === undefined) return
  changes.latest += 1
  const { latest } = changes
  if (owner === undefined) {
    watched.set(db, { latest, ofOthers: latest, changed: new Kept(MOST_BYTES) })
  } else changes.ofOthers = Math.max(changes.ofOthers, ...changes.changed.set(owner, latest, 0))
}
