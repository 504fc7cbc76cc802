/** What an operator has to know about deletions before and after a restore of the database. */

import { run } from '../../src/store/d1.ts'
import { countGone, MAX_UNEXPLAINED, isRecent, selectHeartbeat } from '../../src/store/gone-keys.ts'
import { npmCommand } from './advice.ts'
import type { Where } from './database.ts'
import { formatCount } from './progress.ts'

/** Each as a sentence. There are none without the binding DELETIONS. */
export interface DeletionNotes {
  /** What an operator has to mend. */
  faults: string[]
  /** What is so for a minute after each deletion. */
  waiting: string[]
}

export async function findDeletionNotes(db: D1Database, where: Where): Promise<DeletionNotes> {
  const [heartbeat] = (await run(db, selectHeartbeat())).results
  if (heartbeat === undefined || heartbeat.at === '') return { faults: [], waiting: [] }
  const [gone] = (await run(db, countGone())).results
  const faults: string[] = []
  if (!isRecent(heartbeat)) {
    faults.push(
      `The database was restored, or the job has not run since ${heartbeat.at}. ` +
        'Until it runs, each use of a key asks the second store.',
    )
  }
  if (gone !== undefined && gone.unexplained > MAX_UNEXPLAINED) {
    const command = npmCommand('keys -- deletions --confirm', where)
    faults.push(
      `gone_keys has ${formatCount(gone.unexplained)} tombstones that the vault did not write. They are held: ` +
        `once copied to the second store, they delete these keys and users in every restored database. If they are right: ${command}`,
    )
  }
  const waits = faults.length === 0 && gone !== undefined && gone.count > 0
  return { faults, waiting: waits ? [describeWaiting(gone.count)] : [] }
}

function describeWaiting(count: number): string {
  const deletions = count === 1 ? '1 deletion' : `${formatCount(count)} deletions`
  return `The second store does not know of ${deletions} yet. Wait a minute before you restore the database.`
}
