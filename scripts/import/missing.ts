/** The imported keys that a newer file lacks, because the Flask backend has deleted them. */

import type { Slot } from '../../src/crypto/seal.ts'
import {
  removeRemaining,
  selectRemaining,
  type RemainingKey,
  START,
} from '../../src/import/remaining-keys.ts'
import { BULK_DEADLINE_MS, run, runBatch } from '../../src/store/d1.ts'
import { formatCount } from '../lib/progress.ts'
import type { SeenLines } from './seen.ts'

const PAGE_ROWS = 10_000
const REMOVED_AT_ONCE = 2_000

/** The most that is removed if nobody sets another number: half a file must do no harm. */
const MOST_PERCENT = 2

/** Imported keys that are still here, in the slots that the file names. */
export interface Missing {
  /** All of them. */
  imported: number
  /** Those that the file lacks. */
  keys: readonly RemainingKey[]
  /** Those that it lacks, but that are newer than each key in it. The file may be an older one. */
  newer: readonly RemainingKey[]
}

/** What `--remove-missing` has done. */
export interface Removal {
  removed: number
  /** Why the missing keys were not removed, as a sentence; null if there was no reason. */
  refused: string | null
}

/** Finds what the whole file lacks. */
export async function findMissing(db: D1Database, seen: SeenLines): Promise<Missing> {
  let imported = 0
  const missing: RemainingKey[] = []
  for (let after: Slot | undefined = START; after !== undefined;) {
    const page = selectRemaining(after, PAGE_ROWS)
    // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
    const { results }: D1Result<RemainingKey> = await run(db, page, BULK_DEADLINE_MS)
    const named = results.filter(({ provider }) => seen.slots.has(provider))
    imported += named.length
    for (const key of named) if (!seen.has(key)) missing.push(key)
    after = results[PAGE_ROWS - 1]
  }
  const { newer = [], older: keys = [] } = Object.groupBy(missing, ({ savedAt }) =>
    savedAt > seen.newest ? 'newer' : 'older',
  )
  return { imported, keys, newer }
}

/** What `--remove-missing` goes by. */
export interface RemovalRules {
  /** Whether the file ends where a line does. */
  isWhole: boolean
  /** `--remove-up-to`; undefined if it is not set. */
  most: number | undefined
}

/** Removes the missing keys, all of them or none. */
export async function removeMissing(
  db: D1Database,
  missing: Missing,
  seen: SeenLines,
  rules: RemovalRules,
): Promise<Removal> {
  const refused = nameObstacle(missing, seen, rules)
  if (refused !== null) return { removed: 0, refused }
  let removed = 0
  for (let start = 0; start < missing.keys.length; start += REMOVED_AT_ONCE) {
    const batch = missing.keys.slice(start, start + REMOVED_AT_ONCE)
    // oxlint-disable-next-line no-await-in-loop -- D1 takes one change after the other
    const [, , deleted] = await runBatch(db, removeRemaining(batch), BULK_DEADLINE_MS)
    removed += deleted.results.length
  }
  return { removed, refused }
}

/** Why nothing may be removed, as a sentence; null if it may. */
function nameObstacle(
  { imported, keys, newer }: Missing,
  { nameless }: SeenLines,
  { isWhole, most }: RemovalRules,
): string | null {
  if (keys.length === 0) return null
  if (!isWhole) {
    return 'The file does not end with a line break, so its end may be missing.'
  }
  if (nameless !== null) {
    return `Line ${nameless} does not say whose key it has. It may be one of these: mend the line, or remove it.`
  }
  const count = keys.length + newer.length
  if (count <= (most ?? Math.floor((imported * MOST_PERCENT) / 100))) return null
  const [missing, all] = [count, imported].map(formatCount)
  return most === undefined
    ? `The file lacks ${missing} of ${all} imported keys, which is more than ${MOST_PERCENT} %. If it is whole, add --remove-up-to ${count}.`
    : `The file lacks ${missing} of ${all} imported keys, which is more than --remove-up-to ${most}.`
}
