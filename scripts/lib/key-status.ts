/** Reads from D1 what is stored under which key, and the progress of the rewrap job. It needs no key. */

import type * as z from 'zod/mini'
import { parseKeyring, type ForeignSecrets, type KeyringKids } from '../../src/crypto/keyring.ts'
import { foreignVariables } from '../../src/environment.ts'
import type { Optional } from '../../src/shared/variable.ts'
import { countRowsAfter, type KidCount } from '../../src/store/all-keys.ts'
import { haveOpened } from '../../src/keys/lost-rows.ts'
import { run } from '../../src/store/d1.ts'
import { selectPass, toPass, type Pass } from '../../src/store/rewrap.ts'
import { countInPages, type Pages } from './counted-pages.ts'

/**
 * The rows under one kid, as `--json` prints them. There may be none under a key that the keyring opens and that has
 * sealed before. `unopenable` is what the latest pass counted. `lost` are those that a finished pass with their
 * encryption key could not open.
 */
export interface KidStatus {
  key_id: string
  /** Empty if there are no rows. */
  version: string
  rows: number
  in_keyring: boolean
  unopenable: number
  lost: number
  /** When the latest of the rows was saved. */
  latest_saved_at: string | null
}

/** The job's pass. Times are ISO 8601 in UTC. `rows` is counted now, and `done` is the job's count. */
export interface Progress {
  rows: number
  done: number
  unopenable: number
  rows_per_second: number
  seconds_left: number | null
  started_at: string
  moved_at: string
  finished_at: string | null
  asked_at: string | null
}

/** The programs whose rows the vault opens besides its own. */
export const FOREIGN = Object.values<Optional<z.ZodMiniType, ForeignSecrets>>(foreignVariables).map(
  ({ missing }) => missing,
)

/** The variable with the keys for the rows of another program. */
export function variableOf(kid: string): string {
  return FOREIGN.find((foreign) => foreign.kid === kid)?.variable ?? ''
}

/** The state of a rotation. `keyring` and `rewrap` are null until the Worker's job has run once. */
export interface RotationStatus {
  keyring: KeyringKids | null
  rows: number
  key_ids: KidStatus[]
  missing: string[]
  rewrap: Progress | null
}

/** Counts all rows, one page per statement. */
export async function readStatus(db: D1Database, pages?: Pages): Promise<RotationStatus> {
  const passed = await readPass(db)
  const stored = sumByForm(await countInPages(db, countRowsAfter, pages))
  const keyring = passed && parseKeyring(passed.keyring)
  const inKeyring = (kid: string) => keyring !== null && isIn(keyring, kid)
  const key_ids = [...stored, ...drainedKids(passed, stored)].map(
    ({ kid, version, rows, latest }, index): KidStatus => {
      const { unopenable, lost } = countsOf(isFirst(stored, index) ? passed : null, kid)
      const usual = { key_id: kid, version, rows, in_keyring: inKeyring(kid) }
      return Object.assign(usual, { unopenable, lost, latest_saved_at: latest })
    },
  )
  const rows = stored.reduce((sum, row) => sum + row.rows, 0)
  const rewrap = passed && progressOf(passed, rows)
  const isProven = passed !== null && keyring !== null && haveOpened(passed, keyring.foreign)
  const untried = isProven ? null : (keyring?.foreign?.kid ?? null)
  const isMissing = isMissingIn({ key_ids, rewrap }, untried)
  const missing = keyring === null ? [] : key_ids.filter(isMissing)
  return {
    keyring,
    rows,
    key_ids,
    missing: [...new Set(missing.map(({ key_id }) => key_id))],
    rewrap,
  }
}

/** The kids that open, and under which no row is left. */
function drainedKids(pass: Pass | null, stored: readonly KidCount[]) {
  const kids = new Set(stored.map(({ kid }) => kid))
  const opens = pass === null ? [] : parseKeyring(pass.keyring).opens
  return opens
    .filter((kid) => !kids.has(kid) && pass?.counts[kid] !== undefined)
    .map((kid) => ({ kid, version: '', rows: 0, latest: null }))
}

/**
 * A foreign row does not name its key. If the foreign keys have opened none and open none, the keyring lacks their key.
 * `untried` is the kid of such rows; null for none.
 */
function isMissingIn(status: Pick<RotationStatus, 'key_ids' | 'rewrap'>, untried: string | null) {
  return ({ key_id, in_keyring }: KidStatus): boolean => {
    const { rows, lost, unopenable } = leftUnder(status, key_id)
    if (rows <= lost) return false
    return !in_keyring || (key_id === untried && unopenable >= rows)
  }
}

/**
 * The rows under a kid in all versions, and what is known of them. That is nothing if one was saved since the pass began:
 * then nobody knows which rows the pass has counted.
 */
export function leftUnder(
  { key_ids, rewrap }: Pick<RotationStatus, 'key_ids' | 'rewrap'>,
  keyId: string,
): Pick<KidStatus, 'rows' | 'lost' | 'unopenable'> {
  const under = key_ids.filter(({ key_id }) => key_id === keyId)
  const sum = (name: 'rows' | 'lost' | 'unopenable') =>
    under.reduce((total, kid) => total + kid[name], 0)
  const startedAt = rewrap?.started_at ?? ''
  const isKnown = under.every(({ latest_saved_at: at }) => at === null || at < startedAt)
  const rows = sum('rows')
  return isKnown
    ? { rows, lost: sum('lost'), unopenable: sum('unopenable') }
    : { rows, lost: 0, unopenable: 0 }
}

function countsOf(pass: Pass | null, kid: string): Pick<KidStatus, 'lost' | 'unopenable'> {
  const { lost = 0, unopenable = 0 } = pass?.counts[kid] ?? {}
  return { lost, unopenable }
}

/** A kid may have rows of several versions. What is counted per kid is reported with the first one. */
function isFirst(stored: readonly KidCount[], index: number): boolean {
  return stored.findIndex(({ kid }) => kid === stored[index]?.kid) === index
}

/** The progress of the pass over `rows` rows; null if there was no pass yet. */
export async function readProgress(db: D1Database, rows: number): Promise<Progress | null> {
  const pass = await readPass(db)
  return pass && progressOf(pass, rows)
}

async function readPass(db: D1Database): Promise<Pass | null> {
  const [row] = (await run(db, selectPass())).results
  return row === undefined ? null : toPass(row)
}

function progressOf(pass: Pass, rows: number): Progress {
  const { counts, startedAt, movedAt, finishedAt, askedAt } = pass
  const sum = (name: 'done' | 'unopenable') =>
    Object.values(counts).reduce((total, count) => total + count[name], 0)
  const [done, unopenable] = [sum('done'), sum('unopenable')]
  const seconds = (Date.parse(movedAt) - Date.parse(startedAt)) / 1000
  const rate = seconds > 0 ? (done + unopenable) / seconds : 0
  const left = finishedAt === null ? Math.max(0, rows - done - unopenable) : 0
  return {
    rows,
    done,
    unopenable,
    rows_per_second: Math.round(rate * 10) / 10,
    seconds_left: rate > 0 ? Math.ceil(left / rate) : null,
    started_at: startedAt,
    moved_at: movedAt,
    finished_at: finishedAt,
    asked_at: askedAt,
  }
}

function sumByForm(counts: readonly KidCount[]): KidCount[] {
  const sums = new Map<string, KidCount>()
  for (const count of counts) {
    const name = `${count.kid} ${count.version}`
    const sum = sums.get(name)
    const latest = [sum?.latest ?? null, count.latest].filter((time) => time !== null).toSorted()
    sums.set(name, {
      ...count,
      rows: count.rows + (sum?.rows ?? 0),
      latest: latest.at(-1) ?? null,
    })
  }
  return Array.from(sums.values()).toSorted((one, other) => other.rows - one.rows)
}

function isIn({ seals, opens, foreign }: KeyringKids, kid: string): boolean {
  return [seals, ...opens, foreign?.kid].includes(kid)
}
