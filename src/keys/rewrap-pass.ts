/** A pass of the rewrap job over all rows: whether one is due, where it begins, and how far it is. */

import { nameKeyring, parseKeyring } from '../crypto/keyring.ts'
import { log } from '../log.ts'
import type { Service } from '../service.ts'
import { COUNTED_ROWS, countUnder, selectKids, START } from '../store/all-keys.ts'
import { BULK_DEADLINE_MS, run, runBatch } from '../store/d1.ts'
import {
  selectPass,
  toPass,
  updatePass,
  upsertPass,
  type Count,
  type Pass,
} from '../store/rewrap.ts'
import { carryCounts, countLost, hasOtherRows } from './lost-rows.ts'

const NO_PASS: Pick<Pass, 'keyring' | 'counts' | 'startedAt'> = {
  keyring: '',
  counts: {},
  startedAt: '',
}
/** After this time the job tries the rows whose encryption key is missing again: they may have been replaced. */
const RECHECK_MS = 24 * 60 * 60 * 1000

/** The latest pass, whether or not it is finished; null if another one is due. */
export async function readPass({ db, keyring, settings }: Service): Promise<Pass | null> {
  const [passes, kids] = await runBatch(db, [selectPass(), selectKids()])
  const [pass] = passes.results.map(toPass)
  if (pass === undefined || pass.askedAt !== null) return null
  if (pass.keyring !== nameKeyring(keyring)) return null
  if (pass.defaultProvider !== settings.defaultProvider) return null
  const others = kids.results.map(({ kid }) => kid).filter((kid) => kid !== keyring.sealing.kid)
  if (pass.finishedAt === null || others.length === 0) return pass
  return (await hasUntried(db, pass, others)) ? null : pass
}

/** Whether a finished pass did not try all rows under these kids, or should try those whose key was missing again. */
async function hasUntried(db: D1Database, pass: Pass, kids: readonly string[]): Promise<boolean> {
  const isOld = (pass.finishedAt ?? '') < new Date(Date.now() - RECHECK_MS).toISOString()
  const counts = kids.map((kid) => ({ kid, unopenable: 0, lost: 0, ...pass.counts[kid] }))
  if (isOld && counts.some(({ unopenable, lost }) => unopenable > lost)) return true
  const left = new Map(counts.map(({ kid, unopenable }) => [kid, unopenable]))
  return (await findOtherRows(db, left, pass.startedAt)).size > 0
}

/**
 * The kids under which there are other rows than those that a pass has left. `left` has their number for each kid. See
 * `hasOtherRows`.
 */
export async function findOtherRows(
  db: D1Database,
  left: ReadonlyMap<string, number>,
  startedAt: string,
  deadlineMs = BULK_DEADLINE_MS,
): Promise<Set<string>> {
  if (left.size === 0) return new Set()
  const counts = Array.from(left, ([kid, rows]) => countUnder(kid, rows + 1))
  const found = await runBatch(db, counts, deadlineMs)
  const others = Array.from(left).filter(([, rows], index) =>
    found[index]?.results.some((under) => hasOtherRows(under, rows, startedAt)),
  )
  return new Set(others.map(([kid]) => kid))
}

/**
 * Begins a pass in place of the previous one, for this keyring.
 *
 * @returns the keyring's name
 */
export async function beginPass({ db, keyring, settings }: Service): Promise<string> {
  const name = nameKeyring(keyring)
  const [previous = NO_PASS] = (await run(db, selectPass())).results.map(toPass)
  const counts = Object.entries(previous.counts).map(([kid, { lost = 0 }]) => [kid, lost] as const)
  const lost = new Map(counts.filter(([, rows]) => rows > 0))
  const others = await findOtherRows(db, lost, previous.startedAt)
  const unchanged = new Set(lost.keys()).difference(others)
  const carried = carryCounts(previous, parseKeyring(name), unchanged)
  const { defaultProvider } = settings
  const pass = upsertPass({ keyring: name, defaultProvider }, carried)
  await run(db, pass, BULK_DEADLINE_MS)
  return name
}

/** Saves the progress of the pass. Returns the pass after it; null if another run has saved one meanwhile. */
export async function savePass(db: D1Database, pass: Pass, ended: boolean): Promise<Pass | null> {
  const movedAt = new Date().toISOString()
  const counts = ended ? countLost(pass) : pass.counts
  // A finished pass needs no position, which holds the id of a user.
  const last = ended ? START : pass.last
  const next = { ...pass, last, counts, movedAt, finishedAt: ended ? movedAt : null }
  const updated = await run(db, updatePass(next))
  return updated.meta.changes === 1 ? { ...next, revision: pass.revision + 1 } : null
}

export function logProgress({ keyring, counts, finishedAt }: Pass): void {
  const sum = (name: 'rows' | 'done' | 'unopenable') =>
    Object.values(counts).reduce((total, count) => total + count[name], 0)
  const [rows, done, unopenable] = [sum('rows'), sum('done'), sum('unopenable')]
  const finished = finishedAt !== null
  const left = rows < COUNTED_ROWS ? Math.max(0, rows - done - unopenable) : null
  const by_kid = Object.fromEntries(
    Object.entries(counts)
      .map(([kid, count]) => [kid, pickCount(count)] as const)
      .filter(([, count]) => Math.max(...Object.values(count)) > 0),
  )
  const progress = { done, left: finished ? 0 : left, unopenable, by_kid }
  log('info', finished ? 'rewrap_finished' : 'rewrap_moved', { keyring, ...progress })
}

function pickCount({ rows, done, unopenable }: Count): Count {
  return { rows, done, unopenable }
}
