/** The rewrap job: after each change of the keyring, one pass opens every row and reseals it. */

import { fingerprintKey } from '../crypto/fingerprint.ts'
import { FERNET_KID, nameKeyring, parseKeyring, type Keyring } from '../crypto/keyring.ts'
import { openKey, sealKey } from '../crypto/seal.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import {
  COUNTED_ROWS,
  selectRowsAfter,
  swapKeys,
  type Resealed,
  type Rewrapped,
  type SealedRow,
} from '../store/api-keys.ts'
import { BULK_DEADLINE_MS, run, runBatch, type Statement } from '../store/d1.ts'
import { moveKeys, noteMovedKeys, type MovedKey } from '../store/moved-keys.ts'
import { noteKid, releaseKids, selectKids, settleKids } from '../store/kids.ts'
import {
  selectPass,
  selectPassDue,
  toPass,
  updatePass,
  upsertPass,
  type Counts,
  type Pass,
} from '../store/rewrap.ts'
import { sealForProvider } from './assign.ts'
import { carryCounts, countLost, hasOtherFernetKeys } from './lost-rows.ts'
import { logUnreadable, splitCredential, type UnreadableKey } from './stored-key.ts'

/** The rows of a batch. Each batch is 4 statements, and 6 if it moves keys to a provider's slot. */
export const BATCH_ROWS = 200
/** The characters of the rows in a batch. D1 limits a bound parameter to 2,000,000 bytes. */
const BATCH_LENGTH = 400_000
/** The most rows of a run that moves keys: D1 allows 1,000 statements in a run. */
const MOVING_ROWS_PER_RUN = 30_000
const UNREADABLE_LOGGED = 20
const NO_PASS: Pick<Pass, 'keyring' | 'counts'> = { keyring: '', counts: {} }
/** After this time the job tries the rows whose encryption key is missing again: they may have been replaced. */
const RECHECK_MS = 24 * 60 * 60 * 1000

/**
 * Runs the job once. A pass over all rows is due if the keyring has changed, if a row was written under
 * another key than the first since the last pass began, if an operator asked for it, or if a day has passed
 * since rows lacked their encryption key. Otherwise a run reads a few rows and ends. A run may stop
 * anywhere, and two may run at once: all state is in D1, and a row changes only if it is still as the run
 * read it.
 *
 * A run either begins a pass or works on one. If two versions with different keyrings alternate, they
 * only begin passes, and never undo each other's work.
 *
 * @throws VaultError `database_busy`, `server_misconfigured`
 */
export async function rewrap(service: Service): Promise<void> {
  let pass = await readPass(service)
  if (pass === null) {
    log('info', 'rewrap_begun', { keyring: await beginPass(service) })
    return
  }
  if (pass.finishedAt !== null) return
  const { rewrapRowsPerRun } = service.settings
  const most = pass.assignTo === null ? Infinity : MOVING_ROWS_PER_RUN
  const rows = Math.min(rewrapRowsPerRun, most)
  for (let left = rows; left > 0 && pass.finishedAt === null; left -= BATCH_ROWS) {
    // oxlint-disable-next-line no-await-in-loop -- each batch begins where the last one ended
    const next: Pass | null = await rewrapBatch(service, pass, Math.min(left, BATCH_ROWS))
    if (next === null) return
    pass = next
  }
  logProgress(pass)
}

/** The latest pass, whether or not it is finished; null if another one is due. */
export async function readPass({ db, keyring }: Service): Promise<Pass | null> {
  const recheckBefore = isoTime(Date.now() - RECHECK_MS)
  const [row] = (await run(db, selectPassDue(keyring.sealing.kid, recheckBefore))).results
  if (row === undefined || row.keyring !== nameKeyring(keyring)) return null
  const { due, ...pass } = row
  return due === 1 ? null : toPass(pass)
}

/**
 * Begins a pass in place of the previous one, for this keyring. Rows that other Fernet keys did not open need a key
 * again until the pass has tried them.
 *
 * @returns the keyring's name
 */
export async function beginPass({ db, keyring }: Service): Promise<string> {
  const name = nameKeyring(keyring)
  const [passes, states] = await runBatch(db, [selectPass(), selectKids()], BULK_DEADLINE_MS)
  const [previous = NO_PASS] = passes.results.map(toPass)
  const unused = states.results.filter(({ state }) => state === 'unused').map(({ kid }) => kid)
  const kids = parseKeyring(name)
  const lost = previous.counts[FERNET_KID]?.lost ?? 0
  const isNeeded = lost > 0 && hasOtherFernetKeys(previous, kids)
  const statements = [
    ...(isNeeded ? [noteKid(FERNET_KID)] : []),
    settleKids(),
    noteKid(keyring.sealing.kid),
    upsertPass(name, isoTime(), carryCounts(previous, kids, new Set(unused))),
  ]
  await runBatch(db, statements, BULK_DEADLINE_MS)
  return name
}

/** Rewraps the next batch. Returns the pass after it; null if another run has moved the pass. */
async function rewrapBatch(service: Service, pass: Pass, limit: number): Promise<Pass | null> {
  const read = (await run(service.db, selectRowsAfter(pass.last, limit))).results
  const rows = takeBatch(read)
  const ended = read.length < limit && rows.length === read.length
  const outcomes = await Promise.all(rows.map(async (row) => rewrapRow(service.keyring, row)))
  const last = rows.at(-1) ?? pass.last
  const counts = addOutcomes(pass.counts, outcomes)
  const resealed = outcomes.filter((outcome) => outcome.state === 'resealed')
  const opened = outcomes.filter((outcome) => outcome.state !== 'unreadable')
  const moved = await sealForProvider(service, pass.assignTo, opened)
  const next = await movePass(service, { ...pass, last, counts }, { resealed, moved, ended })
  if (next !== null) logUnreadableRows(outcomes)
  return next
}

/** What the job did with a row. `current`: the row was sealed under the first key already. */
type Outcome =
  | ({ state: 'current'; text: string } & Resealed)
  | ({ state: 'resealed'; text: string } & Rewrapped)
  | UnreadableKey<SealedRow>

async function rewrapRow(keyring: Keyring, row: SealedRow): Promise<Outcome> {
  const opened = await openKey(keyring, row)
  if (opened.state === 'unreadable') return { ...opened, row }
  const { text } = opened
  if (row.kid === keyring.sealing.kid) return { state: 'current', row, sealed: row.sealed, text }
  const { sealed } = await sealKey(keyring, row, text)
  const { apiKey } = splitCredential(text) ?? { apiKey: text }
  const [fingerprint = ''] = await fingerprintKey(keyring, row.userId, apiKey)
  return { state: 'resealed', row, sealed, fingerprint, text }
}

/** The first rows, as many as fit into one bound parameter, but at least one. */
function takeBatch(rows: SealedRow[]): SealedRow[] {
  let [length, count] = [0, 0]
  for (const row of rows) {
    length += JSON.stringify(row).length
    if (count > 0 && length > BATCH_LENGTH) break
    count += 1
  }
  return rows.slice(0, count)
}

/** The result of a batch. */
interface Batch {
  resealed: readonly Rewrapped[]
  /** Keys of default slots that move to a provider's slot. An occupied slot stays as it is. */
  moved: readonly MovedKey[]
  ended: boolean
}

/**
 * Writes the resealed keys and the progress of the pass in one transaction. A row that a PUT or a DELETE
 * has changed meanwhile is left alone. At the end of the pass, a kid is unused if the pass left no row
 * under it that its key may open, and no row was written under it since the pass began.
 *
 * @returns the pass after the batch; null if another run has moved it
 */
export async function movePass(
  { db, keyring }: Service,
  pass: Pass,
  { resealed, moved, ended }: Batch,
): Promise<Pass | null> {
  const { kid } = keyring.sealing
  const movedAt = isoTime()
  const counts = ended ? countLost(pass) : pass.counts
  const next = { ...pass, counts, movedAt, finishedAt: ended ? movedAt : null }
  const statements = [
    updatePass(next),
    noteKid(kid),
    swapKeys(kid, resealed),
    ...moveStatements(pass, kid, moved),
    ...(ended ? [releaseKids(pass.revision + 1)] : []),
  ] as const
  const [updated] = await runBatch(db, statements, BULK_DEADLINE_MS)
  return updated.meta.changes === 1 ? { ...next, revision: pass.revision + 1 } : null
}

function moveStatements({ assignTo }: Pass, kid: string, moved: readonly MovedKey[]): Statement[] {
  return assignTo === null ? [] : [moveKeys(assignTo, kid, moved), noteMovedKeys(assignTo, moved)]
}

function addOutcomes(counts: Counts, outcomes: Outcome[]): Counts {
  const sums = new Map(Object.entries(counts))
  for (const { row, state } of outcomes) {
    const sum = sums.get(row.kid) ?? { rows: 0, done: 0, unopenable: 0 }
    const counted = state === 'unreadable' ? 'unopenable' : 'done'
    sums.set(row.kid, { ...sum, [counted]: sum[counted] + 1 })
  }
  return Object.fromEntries(sums)
}

/** Logs the rows that their own encryption key does not open. Rows whose key is missing are only counted. */
function logUnreadableRows(outcomes: Outcome[]): void {
  const damaged = outcomes
    .filter((outcome) => outcome.state === 'unreadable')
    .filter(({ reason }) => reason === 'does_not_open')
  for (const key of damaged.slice(0, UNREADABLE_LOGGED)) logUnreadable(key)
}

function logProgress({ keyring, counts, finishedAt }: Pass): void {
  const sum = (name: 'rows' | 'done' | 'unopenable') =>
    Object.values(counts).reduce((total, count) => total + count[name], 0)
  const [rows, done, unopenable] = [sum('rows'), sum('done'), sum('unopenable')]
  const finished = finishedAt !== null
  const left = rows < COUNTED_ROWS ? Math.max(0, rows - done - unopenable) : null
  const by_kid = Object.fromEntries(
    Object.entries(counts).map(([kid, count]) => [
      kid,
      { rows: count.rows, done: count.done, unopenable: count.unopenable },
    ]),
  )
  const progress = { done, left: finished ? 0 : left, unopenable, by_kid }
  log('info', finished ? 'rewrap_finished' : 'rewrap_moved', { keyring, ...progress })
}

function isoTime(epochMs = Date.now()): string {
  return new Date(epochMs).toISOString()
}
