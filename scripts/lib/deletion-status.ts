/** What an operator has to know about deletions before and after a restore of the database. */

import { run } from '../../src/store/d1.ts'
import { countGone, MAX_UNEXPLAINED, isRecent, selectHeartbeat } from '../../src/store/gone-keys.ts'
import { npmCommand } from './advice.ts'
import type { Where } from './database.ts'
import { formatCount } from './progress.ts'

/** Each as a sentence. There are none without the binding DELETIONS, and usually none with it. */
export async function findDeletionNotes(db: D1Database, where: Where): Promise<string[]> {
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
  if (gone !== undefined && gone.unexplained > MAX_UNEXPLAINED) {
    const command = npmCommand('keys -- deletions --confirm', where)
    notes.push(
      `gone_keys has ${formatCount(gone.unexplained)} tombstones that the vault did not write. They are held: ` +
        `once copied to the second store, they delete these keys and users in every restored database. If they are right: ${command}`,
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
