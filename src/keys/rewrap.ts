/** The rewrap job: after each change of the keyring, it opens every row and reseals it. */

import type { Keyring } from '../crypto/keyring.ts'
import { openKey } from '../crypto/seal.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { selectRowsAfter, type ScannedRow } from '../store/all-keys.ts'
import { BULK_DEADLINE_MS, run, runBatch } from '../store/d1.ts'
import { moveKeys, swapKeys, type Resealed } from '../store/resealed-keys.ts'
import type { Counts, Pass } from '../store/rewrap.ts'
import { beginPass, logProgress, readPass, savePass } from './rewrap-pass.ts'
import { moveHere } from './slot-row.ts'
import { logUnreadable, sealText, type UnreadableKey } from './stored-key.ts'

/** The rows of a batch. */
export const BATCH_ROWS = 200
/** The statements of a batch at most: it reads, swaps, moves with events, and writes the pass. */
const BATCH_STATEMENTS = 5
/** The statements for a key that meets another one in its new slot, at most: see `moveHere`. */
const MEETING_STATEMENTS = 10
/** D1 takes 50 statements a run on the free plan, and 1,000 on the paid one. The vault's other jobs need some too. */
const statementsFor = (rows: number) => 25 + Math.floor(rows / 50)
/** The characters of the rows in a batch. D1 limits a bound parameter to 2,000,000 bytes. */
const BATCH_LENGTH = 400_000
const UNREADABLE_LOGGED = 20

/**
 * Runs the job once. A pass over all rows is due if the keyring or `DEFAULT_PROVIDER` has changed, if there are rows
 * under another key than the first that the last pass did not try, if an operator asked for it, or if a day has passed
 * since rows lacked their encryption key. Otherwise a run reads a few rows and ends. A run may stop anywhere, and two
 * may run at once: all state is in D1, and a row changes only if it is still as the run read it.
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
  let rows = service.settings.rewrapRowsPerRun
  let statements = statementsFor(rows)
  while (pass.finishedAt === null && rows > 0 && statements >= BATCH_STATEMENTS) {
    // oxlint-disable-next-line no-await-in-loop -- each batch begins where the last one ended
    const batch: Batch | null = await rewrapBatch(service, pass, { rows, statements })
    if (batch === null) return
    pass = batch.pass
    rows -= batch.rows
    statements -= batch.statements
  }
  logProgress(pass)
}

/** What a run may still do. */
interface Budget {
  rows: number
  statements: number
}

/** What a batch has used, and the pass after it. */
interface Batch extends Budget {
  pass: Pass
}

/** Rewraps the next batch. Returns null if another run has saved the pass. */
async function rewrapBatch(service: Service, pass: Pass, budget: Budget): Promise<Batch | null> {
  const limit = Math.min(budget.rows, BATCH_ROWS)
  const { defaultProvider } = service.settings
  const read = (await run(service.db, selectRowsAfter(pass.last, limit, defaultProvider))).results
  const rows = takeBatch(read, budget)
  const ended = read.length < limit && rows.length === read.length
  const outcomes = await Promise.all(rows.map(async (row) => rewrapRow(service.keyring, row)))
  const written = await writeRows(service, outcomes)
  const last = rows.at(-1) ?? pass.last
  const counts = addOutcomes(pass.counts, outcomes)
  const next = await savePass(service.db, { ...pass, last, counts }, ended)
  if (next === null) return null
  logUnreadableRows(outcomes)
  return { pass: next, rows: rows.length, statements: 2 + written }
}

/** What the job did with a row. `current`: the row was sealed under the first key already. */
type Outcome =
  | { state: 'current'; row: ScannedRow; text: string }
  | ({ state: 'resealed'; text: string } & Resealed)
  | UnreadableKey<ScannedRow>

async function rewrapRow(keyring: Keyring, row: ScannedRow): Promise<Outcome> {
  const opened = await openKey(keyring, row)
  if (opened.state === 'unreadable') return { ...opened, row }
  const { text } = opened
  if (row.kid === keyring.sealing.kid) return { state: 'current', row, text }
  return { state: 'resealed', row, to: await sealText(keyring, row, text), text }
}

/**
 * Writes the resealed keys, and moves the plain route's keys to the slot of `DEFAULT_PROVIDER`. A row that a request has
 * changed meanwhile is left alone.
 *
 * @returns how many statements it took, at most
 */
async function writeRows(service: Service, outcomes: readonly Outcome[]): Promise<number> {
  const { db, keyring, settings } = service
  const { defaultProvider: provider } = settings
  const resealed = outcomes.filter((outcome) => outcome.state === 'resealed')
  const swaps = resealed.length === 0 ? [] : [swapKeys(keyring.sealing.kid, resealed)]
  const moved = provider === null ? [] : await sealForSlot(keyring, provider, outcomes)
  if (provider === null || moved.length === 0) {
    if (swaps.length > 0) await runBatch(db, swaps, BULK_DEADLINE_MS)
    return swaps.length
  }
  const [moves, events] = moveKeys(provider, moved)
  const statements = [moves, events, ...swaps] as const
  const results = await runBatch(db, statements, BULK_DEADLINE_MS)
  const done = new Set(results[0].results.map(({ userId }) => userId))
  const left = moved.filter(({ to }) => !done.has(to.userId))
  for (const { to } of left) {
    // oxlint-disable-next-line no-await-in-loop -- D1 takes one change after the other
    await moveHere(service, to)
  }
  return statements.length + left.length * MEETING_STATEMENTS
}

/** The plain route's keys, sealed for the slot `provider`. */
async function sealForSlot(
  keyring: Keyring,
  provider: string,
  outcomes: readonly Outcome[],
): Promise<Resealed[]> {
  const opened = outcomes.filter((outcome) => outcome.state !== 'unreadable')
  const plain = opened.filter(({ row }) => row.provider === DEFAULT_SLOT)
  return Promise.all(
    plain.map(async ({ row, text }) => ({
      row,
      to: await sealText(keyring, { userId: row.userId, provider }, text),
    })),
  )
}

/** The first rows, at least one: as many as fit into one bound parameter, and as the statements that are left allow. */
function takeBatch(rows: readonly ScannedRow[], { statements }: Budget): readonly ScannedRow[] {
  let left = statements - BATCH_STATEMENTS
  let length = 0
  const end = rows.findIndex((row, index) => {
    length += JSON.stringify(row).length
    left -= row.meets * MEETING_STATEMENTS
    return index > 0 && (length > BATCH_LENGTH || left < 0)
  })
  return end === -1 ? rows : rows.slice(0, end)
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
