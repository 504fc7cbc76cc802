/** What an operator has to know about deletions before and after a restore of the database. */

import { run } from '../../src/store/d1.ts'
import { countGone } from '../../src/store/gone-keys.ts'
import { isRecent, selectHeartbeat } from '../../src/store/heartbeat.ts'
import { formatCount } from './progress.ts'

/** Each as a sentence. There are none without the binding DELETIONS, and usually none with it. */
export async function findDeletionNotes(db: D1Database): Promise<string[]> {
  const [heartbeat] = (await run(db, selectHeartbeat())).results
  if (heartbeat === undefined || heartbeat.at === '') return []
  const [gone] = (await run(db, countGone())).results
  const notes: string[] = []
  if (!isRecent(heartbeat)) {
    notes.push(
      `The database was restored, or the job has not run since ${heartbeat.at}. ` +
        'Until it runs, each use of a key asks the second store.',
    )
  }
  if (gone !== undefined && gone.count > 0) {
    notes.push(
      `The second store does not know of ${formatCount(gone.count)} deletions yet. ` +
        'Wait a minute before you restore the database.',
    )
  }
  return notes
}
