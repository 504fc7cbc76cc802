/** `npm run import -- --finish`: forgets what imports remember of users and keys. */

import { forgetImported } from '../../src/import/imported-keys.ts'
import { forgetAllRemoved } from '../../src/import/removed-users.ts'
import { BULK_DEADLINE_MS, run, type Statement } from '../../src/store/d1.ts'
import { npmCommand, wranglerCommand } from '../lib/advice.ts'
import type { Where } from '../lib/database.ts'
import { DEV_VARS } from '../lib/dev-vars.ts'
import { formatCount } from '../lib/progress.ts'
import { readFernetNames } from './worker-keys.ts'

const FORGOTTEN_AT_ONCE = 10_000

/**
 * Forgets everything, and says how much that was.
 *
 * @throws Error if the Worker still expects imported rows: it would note removed users again
 */
export async function finishImports(db: D1Database, where: Where): Promise<string> {
  const names = (await readFernetNames(db)) ?? []
  if (names.length > 0) throw new Error(adviseRemoval(where))
  // The keys first: without them, the removal of a user leaves nothing more to forget.
  const keys = await forgetAll(db, forgetImported)
  const users = await forgetAll(db, forgetAllRemoved)
  if (keys + users === 0) return 'There is nothing to forget.'
  return (
    `Forgotten: ${formatCount(keys)} imported or deleted keys, ${formatCount(users)} removed users.\n` +
    'Do not import an older file any more: it would bring these keys and users back.'
  )
}

async function forgetAll(db: D1Database, forget: (limit: number) => Statement): Promise<number> {
  for (let forgotten = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop -- each takes its part of D1's time
    const { meta } = await run(db, forget(FORGOTTEN_AT_ONCE), BULK_DEADLINE_MS)
    forgotten += meta.changes
    if (meta.changes < FORGOTTEN_AT_ONCE) return forgotten
  }
}

function adviseRemoval(where: Where): string {
  const step = where.remote
    ? `deploy without it in [secrets] required, then ${wranglerCommand('secret delete LEGACY_FERNET_KEY')}`
    : `take it out of ${DEV_VARS}`
  return (
    'Nothing was forgotten: the vault has LEGACY_FERNET_KEY, so an import is still under way.\n' +
    `When ${npmCommand('keys -- plan', where)} says that it is not needed any more, ${step}.\n` +
    'The job finds that within a minute. Then run this again.'
  )
}
