/** `npm run keys -- export`: writes the keys of the plain route to a file, as the Flask backend reads them. */

import type { Keyring } from '../../src/crypto/keyring.ts'
import { openKey } from '../../src/crypto/seal.ts'
import { isExpired } from '../../src/keys/limits.ts'
import { splitCredential } from '../../src/keys/stored-key.ts'
import { readOwner } from '../../src/shared/owner.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { BULK_DEADLINE_MS, run, runBatch } from '../../src/store/d1.ts'
import { noteExported, selectKeysAfter, type ExportedRow } from '../../src/store/exported-keys.ts'
import { isRecent, selectHeartbeat, type Heartbeat } from '../../src/store/gone-keys.ts'
import { selectPass } from '../../src/store/rewrap.ts'
import type { Where } from '../lib/database.ts'
import { readKeyring } from '../lib/keyring.ts'
import { startCounter } from '../lib/progress.ts'
import { announce } from '../lib/question.ts'
import { untilStopped } from '../lib/stop.ts'
import { makeToken, readFernetKey } from './fernet.ts'
import { createPrivateFile, requireFreePath, type PrivateFile } from './private-file.ts'
import { ExportReport, type LeftOut } from './report.ts'

const USERS_AT_ONCE = 200

/** What the command line says. */
export interface ExportOptions extends Where {
  /** The file to make. */
  out: string
  /** The file with the key of the Flask backend. */
  fernetKeyFile: string
  yes: boolean
}

/** An export under way. */
interface Export {
  db: D1Database
  keyring: Keyring
  fernetKey: Uint8Array
  /** The slots of the plain route's keys. The first one wins if two keys were saved at the same time. */
  slots: readonly string[]
  file: PrivateFile
  report: ExportReport
  progress: Pick<ReturnType<typeof startCounter>, 'move'>
}

/**
 * Checks what the command line says.
 *
 * @returns the export, which asks, and returns the exit code: 1 if the file lacks a key that it should have
 */
export async function prepareExport(
  options: ExportOptions,
): Promise<(db: D1Database, name: string) => Promise<number>> {
  const { out, fernetKeyFile } = options
  const path = requireFreePath(out)
  const fernetKey = readFernetKey(fernetKeyFile)
  const { keyring, secrets } = await readKeyring(options)
  if (secrets.some((secret) => fernetKey.equals(secret))) {
    throw new Error(
      `${fernetKeyFile} has an encryption key of the vault: the backends must not share one`,
    )
  }
  return async (db, name) => {
    const what = `Writes every user's key of ${name} to ${out}, readable with the key in ${fernetKeyFile}.`
    await announce(what, { asks: true, ...options })
    const report = new ExportReport()
    const slots = await readSlots(db)
    await untilStopped(async (isStopped) => {
      const file = await createPrivateFile(path)
      const progress = startCounter('Exporting')
      const job = { db, keyring, fernetKey, slots, file, report, progress }
      await writeKeys(job, isStopped).finally(() => progress.stop())
    })
    console.log(report.describe(out))
    return report.isComplete ? 0 : 1
  }
}

/** The names of the slot that the plain route has. @throws Error if the vault's job has not run */
async function readSlots(db: D1Database): Promise<string[]> {
  const [pass] = (await run(db, selectPass())).results
  if (pass === undefined) {
    throw new Error('The DEFAULT_PROVIDER is unknown until the job first runs. Wait a minute.')
  }
  const { defaultProvider } = pass
  return defaultProvider === null ? [DEFAULT_SLOT] : [defaultProvider, DEFAULT_SLOT]
}

/** Writes the keys to the file. If that fails, or if there are no keys, the file is deleted. */
async function writeKeys(job: Export, isStopped: () => boolean): Promise<void> {
  const { file, report } = job
  try {
    await file.write('id,encrypted_api_key\n')
    for (let after: string | undefined = ''; after !== undefined;) {
      // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
      after = await writePage(job, after)
      job.progress.move(report.written)
      if (isStopped()) throw new Error('The export was interrupted, and its file removed.')
    }
    await (report.written > 0 ? file.keep() : file.discard())
  } catch (error) {
    await file.discard()
    throw error
  }
}

/** Writes the keys of the next users. @returns the id of the last one; undefined at the end */
async function writePage(job: Export, after: string): Promise<string | undefined> {
  const { db, file, report } = job
  const statements = [selectHeartbeat(), selectKeysAfter(after, USERS_AT_ONCE)] as const
  const [beat, { results: rows }] = await runBatch(db, statements, BULK_DEADLINE_MS)
  requireJob(beat.results[0])
  const users = Map.groupBy(rows, ({ userId }) => userId).values()
  const chosen = await Promise.all(Array.from(users, async (keys) => chooseKey(job, keys)))
  const keys = chosen.filter((key) => key !== null)
  const noted = await run(db, noteExported(keys.map(({ row }) => row)), BULK_DEADLINE_MS)
  const userIds = new Set(noted.results.map(({ userId }) => userId))
  const written = keys.filter(({ row }) => userIds.has(row.userId))
  report.leftOut('changed', keys.length - written.length)
  for (const { row } of written) report.wrote(row)
  await file.write(written.map((key) => toLine(job, key)).join(''))
  return rows.at(-1)?.userId
}

/** A restored database may hold deleted keys until the job has run. @throws Error if it has not */
function requireJob(heartbeat: Heartbeat | undefined): void {
  if (heartbeat === undefined || heartbeat.at === '' || isRecent(heartbeat)) return
  throw new Error(
    `The database was restored, or the job has not run since ${heartbeat.at}, so deleted keys may be in it. ` +
      'Export when the job has run.',
  )
}

/** A key to write. */
interface OpenedKey {
  row: ExportedRow
  apiKey: string
}

/** The key that the plain route has for a user; null if it is left out. */
async function chooseKey(job: Export, rows: readonly ExportedRow[]): Promise<OpenedKey | null> {
  const { keyring, slots, report } = job
  // A team has no plain route, and the Flask backend knows no teams.
  const ofUsers = rows.filter(({ userId }) => readOwner(userId).kind === 'user')
  const plain = slots.flatMap((slot) => ofUsers.filter(({ provider }) => provider === slot))
  report.leftOut('elsewhere', rows.length - plain.length)
  const latest = plain.toSorted((one, other) => other.updatedAt.localeCompare(one.updatedAt))
  const reasons: LeftOut[] = []
  // As in `moveHere`, an earlier key counts if the latest one cannot be used.
  for (const row of latest) {
    // oxlint-disable-next-line no-await-in-loop -- there are two at most
    const opened = await openKey(keyring, row)
    if (opened.state === 'unreadable' && opened.reason === 'key_id_not_in_keyring') {
      report.lacked(row.kid)
    }
    if (row.isGone === 1) reasons.push('gone')
    else if (opened.state === 'unreadable') reasons.push('unreadable')
    else return keepUsable(report, row, opened.text)
  }
  const [reason] = reasons
  if (reason !== undefined) report.leftOut(reason)
  return null
}

function keepUsable(report: ExportReport, row: ExportedRow, text: string): OpenedKey | null {
  const credential = splitCredential(text)
  if (credential !== null && !isExpired(row.expiresAt)) return { row, apiKey: credential.apiKey }
  report.leftOut(credential === null ? 'unreadable' : 'expired')
  return null
}

/** A line of CSV. The token has the time at which the key was saved, so that an import of the file compares it. */
function toLine({ fernetKey }: Export, { row, apiKey }: OpenedKey): string {
  const token = makeToken(fernetKey, new Date(row.updatedAt), apiKey)
  return `"${readOwner(row.userId).id.replaceAll('"', '""')}",${token}\n`
}
