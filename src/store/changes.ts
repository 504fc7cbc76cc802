/**
 * When this isolate last changed the keys of an owner: what it read before that is old. Nothing is noted before the first
 * read that may be kept.
 */

import { Kept } from '../shared/kept.ts'

/** The size of what is known of single owners. For an owner who is not among them, an earlier read counts as old. */
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

/** Makes each earlier read of the owner's keys old; without an owner, each earlier read. */
export function markChanged(db: D1Database, owner?: string): void {
  const changes = watched.get(db)
  if (changes === undefined) return
  changes.latest += 1
  const { latest } = changes
  if (owner === undefined) {
    watched.set(db, { latest, ofOthers: latest, changed: new Kept(MOST_BYTES) })
  } else changes.ofOthers = Math.max(changes.ofOthers, ...changes.changed.set(owner, latest, 0))
}
