/** The table `heartbeat`: its one row tells a database that was restored from one that was not. */

import { NOW, type Statement } from './d1.ts'

/** The job runs every minute. If the heartbeat is older, it has not run, or the database was restored. */
const FRESH_S = 3 * 60

/** The row. */
export interface Heartbeat {
  /** When the job last found nothing left to delete: ISO 8601 in UTC; empty before it has run. */
  at: string
  /** This database lacks no deletion up to this number of the second store. */
  copied: number
  /** The seconds since `at` by the clock of D1, which wrote it; null before the job has run. */
  age: number | null
}

const AGE = "unixepoch('now') - unixepoch(at)"

/** Whether there is a second store, in SQL: its job has run. */
export const IS_WATCHED = "EXISTS (SELECT 1 FROM heartbeat WHERE at <> '')"
/** Whether the job has not run for some time, in SQL. */
export const IS_LATE = `EXISTS (SELECT 1 FROM heartbeat WHERE abs(${AGE}) >= ${FRESH_S})`

export function selectHeartbeat(): Statement<Heartbeat> {
  return { sql: `SELECT at, copied, ${AGE} AS age FROM heartbeat`, values: [] }
}

/** A heartbeat far in the future proves nothing either: the clock of D1 was wrong when it was written. */
export function isRecent({ age }: Pick<Heartbeat, 'age'>): boolean {
  return age !== null && Math.abs(age) < FRESH_S
}

/**
 * Changes the row, if it still is as it was `read`. It comes right after `forgetGone(gone)`: if that found fewer
 * tombstones than were read, the database was restored meanwhile, and the row stays.
 */
export function moveHeartbeat(
  read: Pick<Heartbeat, 'at' | 'copied'>,
  { copied, isComplete }: { copied: number; isComplete: boolean },
  gone: string,
): Statement {
  return {
    sql: `UPDATE heartbeat SET
            at = CASE WHEN ?4 THEN ${NOW} ELSE at END,
            copied = ?3
          WHERE at = ?1 AND copied = ?2 AND changes() = json_array_length(?5)`,
    values: [read.at, read.copied, copied, isComplete ? 1 : 0, gone],
  }
}
