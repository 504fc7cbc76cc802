/** The scheduled job: after each change of the keyring, one pass that opens every row and reseals it. */

import { readConfig } from '../settings.ts'
import { ApiError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import {
  beginPass,
  COUNTED_ROWS,
  movePass,
  readPass,
  readRows,
  type Counts,
  type Pass,
} from '../store/rewrap.ts'
import { openKey, SealError, sealKey, type Keyring } from '../crypto/seal.ts'
import { logUnreadable, openVault, slotOf, type SealedRow, type Vault } from '../store/api-keys.ts'

/** On the free plan a run has 10 ms of CPU and 50 queries. */
const DEFAULT_ROWS_PER_RUN = 50
const BATCH_ROWS = 200
/** Characters of rows in a batch; a bound parameter may have 2,000,000 bytes. */
const BATCH_LENGTH = 400_000
const UNREADABLE_LOGGED = 20

/**
 * Makes a pass over all rows, `REWRAP_ROWS_PER_RUN` a run, whenever the keyring has changed or a row
 * was written under another key than the first since the last pass began; and once a day while there
 * are rows that did not open. Otherwise it reads a few rows and ends. It may be cut off anywhere, and
 * run twice at once: all that it knows is in D1, and a row changes only where it still is what was
 * read.
 *
 * @throws ApiError `server_misconfigured`, `database_busy`; logged
 */
export async function rewrap(env: Env): Promise<void> {
  await run(env).catch((error: unknown) => {
    const refusal = ApiError.from(error)
    const { code, cause = refusal } = refusal
    log('error', 'rewrap_failed', { code, error: errorFields(cause) })
    throw error
  })
}

/**
 * A run begins a pass or works on one, never both: while two versions with different keyrings take
 * turns, they begin passes in place of undoing each other's work.
 */
async function run(env: Env): Promise<void> {
  const vault = await openVault(env)
  const { REWRAP_ROWS_PER_RUN: rowsPerRun = DEFAULT_ROWS_PER_RUN } = readConfig(env)
  let pass = await readPass(vault)
  if (pass === null) {
    log('info', 'rewrap_begun', { keyring: await beginPass(vault) })
    return
  }
  if (pass.finished_at !== null) return
  for (let left = rowsPerRun; left > 0 && pass.finished_at === null; left -= BATCH_ROWS) {
    const limit = Math.min(left, BATCH_ROWS)
    // oxlint-disable-next-line no-await-in-loop -- each batch begins where the last one ended
    const next: Pass | null = await rewrapBatch(vault, pass, limit)
    if (next === null) return
    pass = next
  }
  logProgress(pass)
}

/** The pass after its next batch; null where another run has moved it meanwhile. */
async function rewrapBatch(vault: Vault, pass: Pass, limit: number): Promise<Pass | null> {
  const read = await readRows(vault, pass, limit)
  const rows = takeBatch(read)
  const ended = read.length < limit && rows.length === read.length
  const last = rows.at(-1) ?? pass.last
  const outcomes = await Promise.all(rows.map(async (row) => rewrapRow(vault.keyring, row)))
  const counts = addOutcomes(pass.counts, outcomes)
  const resealed = outcomes.flatMap(({ row, sealed }) => (sealed ? [{ row, sealed }] : []))
  const next = await movePass(vault, { ...pass, last, counts }, { resealed, ended })
  if (next !== null) logUnreadableRows(outcomes)
  return next
}

interface Outcome {
  row: SealedRow
  /** The key, sealed anew; absent where its row needs none, or does not open. */
  sealed?: string
  error?: SealError
}

async function rewrapRow(keyring: Keyring, row: SealedRow): Promise<Outcome> {
  try {
    const apiKey = await openKey(keyring, slotOf(row), row.encrypted_api_key)
    if (row.key_id === keyring.sealingKeyId) return { row }
    return { row, sealed: (await sealKey(keyring, slotOf(row), apiKey)).sealed }
  } catch (error) {
    if (!(error instanceof SealError)) throw error
    return { row, error }
  }
}

/** As many rows, from the first on, as one bound parameter takes. */
function takeBatch(rows: SealedRow[]): SealedRow[] {
  let length = 0
  return rows.filter((row, index) => {
    length += JSON.stringify(row).length
    return index === 0 || length <= BATCH_LENGTH
  })
}

function addOutcomes(counts: Counts, outcomes: Outcome[]): Counts {
  const sums = new Map(Object.entries(counts))
  for (const { row, error } of outcomes) {
    const sum = sums.get(row.key_id) ?? { rows: 0, done: 0, unopenable: 0 }
    const outcome = error === undefined ? 'done' : 'unopenable'
    sums.set(row.key_id, { ...sum, [outcome]: sum[outcome] + 1 })
  }
  return Object.fromEntries(sums)
}

/** Rows whose encryption key is missing are in the counts; one that its own key does not open is told. */
function logUnreadableRows(outcomes: Outcome[]): void {
  const unreadable = outcomes.filter(({ error }) => error?.reason === 'does_not_open')
  for (const { row, error } of unreadable.slice(0, UNREADABLE_LOGGED)) {
    if (error !== undefined) logUnreadable(row, error)
  }
}

function logProgress({ keyring, counts, finished_at }: Pass): void {
  const sum = (name: keyof Counts[string]) =>
    Object.values(counts).reduce((total, count) => total + count[name], 0)
  const [rows, done, unopenable] = [sum('rows'), sum('done'), sum('unopenable')]
  const finished = finished_at !== null
  const left = rows < COUNTED_ROWS ? Math.max(0, rows - done - unopenable) : null
  const progress = { done, left: finished ? 0 : left, unopenable, by_kid: counts }
  log('info', finished ? 'rewrap_finished' : 'rewrap_moved', { keyring, ...progress })
}
