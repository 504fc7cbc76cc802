/** Checks the database: the encryption keys of what is stored, the second store, and a save that leaves nothing behind. */

import { randomBytes } from 'node:crypto'
import { openKeyring, type Keyring } from '../../src/crypto/keyring.ts'
import { openKey, sealKey } from '../../src/crypto/seal.ts'
import { checkHealth } from '../../src/keys/health.ts'
import type { Settings } from '../../src/settings.ts'
import { selectKey, upsertKey } from '../../src/store/api-keys.ts'
import { runBatch } from '../../src/store/d1.ts'
import { deleteUsers } from '../../src/store/gone-keys.ts'
import { insertUser } from '../../src/store/users.ts'
import { npmCommand } from '../lib/advice.ts'
import type { Where } from '../lib/database.ts'
import { findDeletionNotes } from '../lib/deletion-status.ts'
import { planNext } from '../lib/key-plan.ts'
import { readStatus } from '../lib/key-status.ts'
import { formatCount } from '../lib/progress.ts'
import { failed, ok, skipped, wrong, type Outcome } from './finding.ts'

const REMOTE = { remote: true }
const LOCAL = { remote: false }

/** A command has no token. */
const verifyToken = async () => Promise.reject(new Error('There is no token'))

/** Whether the deployed Worker, as its job has noted it, has an encryption key for each stored key. */
export async function checkDeployedKeys(db: D1Database): Promise<Outcome> {
  const status = await readStatus(db)
  const { missing, rows, keyring } = status
  const [first = ''] = planNext(status, REMOTE).text.split('\n')
  if (keyring === null) return skipped(first)
  if (missing.length > 0) return wrong(first, npmCommand('keys -- plan', REMOTE))
  return ok(`Each of the ${formatCount(rows)} stored keys has its encryption key.`)
}

/** The same of the secrets in `.dev.vars`, with the check of the route `/api/health`. */
export async function checkLocalKeys(db: D1Database, settings: Settings): Promise<Outcome> {
  const keyring = await openKeyring(settings)
  // The second store is a part of the Worker.
  const own = { ...settings, deletions: null }
  try {
    await checkHealth({ settings: own, db, keyring, verifyToken })
  } catch (error) {
    const outcome = failed(error)
    const part = outcome.why.startsWith('gone_keys') ? 'deletions' : 'plan'
    return { ...outcome, fix: npmCommand(`keys -- ${part}`, LOCAL) }
  }
  return ok(
    `Each stored key has its encryption key. New ones are sealed under ${keyring.sealing.kid}.`,
  )
}

/** Whether deletions reach the second store. The job has to run for that. */
export async function checkSecondStore(
  db: D1Database,
  settings: Settings,
  { remote, isRunning }: Where & { isRunning: boolean },
): Promise<Outcome> {
  if (settings.deletions === null)
    return skipped('DELETIONS is not configured: deleted keys come back with a restored database.')
  const { faults, waiting } = await findDeletionNotes(db, { remote })
  const [fault] = faults
  if (fault === undefined) return ok(waiting[0] ?? 'No deletion is waiting, and none is held.')
  if (!isRunning) return skipped('Its job runs while the vault runs on this machine.')
  return wrong(fault, npmCommand('keys -- deletions', { remote }))
}

/** Saves a made-up key, opens it, and deletes it with its user, all in one transaction: nothing can be left. */
export async function checkSave(db: D1Database, settings: Settings): Promise<Outcome> {
  try {
    return await saveAndDelete(db, await openKeyring(settings))
  } catch (error) {
    return failed(error)
  }
}

async function saveAndDelete(db: D1Database, keyring: Keyring): Promise<Outcome> {
  const slot = { userId: `doctor-${randomBytes(16).toString('hex')}`, provider: 'openai' }
  const made = `sk-made-up-${randomBytes(16).toString('hex')}`
  const row = await sealKey(keyring, slot, made)
  const rest = {
    savedBy: null,
    status: 'active',
    exhaustedAt: null,
    expiresAt: null,
    fingerprints: [],
  } as const
  // No backup has this user and this key, so they need no tombstones.
  const [, remove] = deleteUsers({ sql: 'VALUES (?1)', values: [slot.userId] }, 'operator')
  const [, , read] = await runBatch(db, [
    insertUser(slot.userId),
    upsertKey(slot, { ...row, ...rest }),
    selectKey({ ...slot, takesDefault: false }),
    remove,
  ])
  const [stored] = read.results
  if (stored === undefined || stored.sealed === null)
    return wrong('D1 did not return the saved key.')
  const opened = await openKey(keyring, stored)
  if (opened.state !== 'open' || opened.text !== made) return wrong('The saved key does not open.')
  return ok('A made-up key was sealed, saved, opened and deleted.')
}
