/** The rewrap job's pass as D1 holds it: where it is, what it has counted, and what it writes. */

import { throwApiError } from './d1.ts'
import { noteKeyId } from './kids.ts'
import { nameKeyring } from '../crypto/seal.ts'
import type { SealedRow, Vault } from './api-keys.ts'

/** Rows are counted up to here when a pass begins: a statement must end within 30 s. */
export const COUNTED_ROWS = 250_000

/** After this long, the rows that did not open are looked for again: they may have been replaced. */
const RECHECK_MS = 24 * 60 * 60 * 1000

/** By kid: the rows that the pass began with, those that it opened, and those that do not open. */
export type Counts = Record<string, { rows: number; done: number; unopenable: number }>

/** A pass over `api_keys` in the order of their primary key. Who moves it moves `revision` too. */
export interface Pass {
  keyring: string
  revision: number
  /** The row that it has come to. */
  last: Pick<SealedRow, 'user_id' | 'provider'>
  counts: Counts
  finished_at: string | null
}

interface PassRow extends Omit<Pass, 'last' | 'counts'> {
  after_user_id: string
  after_provider: string
  counts: string
  due: number
}

/** A row's new sealed key, and the row as it was when that was made. */
export interface Resealed {
  row: SealedRow
  sealed: string
}

/**
 * The pass that is under way, or over; null where another one is due.
 *
 * @throws ApiError `database_busy`, as all functions here
 */
export async function readPass({ db, keyring }: Vault): Promise<Pass | null> {
  const { results } = await db
    .prepare(
      `SELECT keyring, revision, after_user_id, after_provider, counts, finished_at,
         asked_at IS NOT NULL OR finished_at IS NOT NULL AND EXISTS (
           SELECT 1 FROM key_ids WHERE key_id <> ?1
             AND (state = 'in_use' OR state = 'settled' AND finished_at < ?2)
         ) AS due
       FROM rewrap`,
    )
    .bind(keyring.sealingKeyId, isoTime(Date.now() - RECHECK_MS))
    .all<PassRow>()
    .catch(throwApiError)
  const [row] = results
  if (row === undefined || row.keyring !== nameKeyring(keyring)) return null
  const { due, after_user_id, after_provider, counts, ...pass } = row
  if (due === 1) return null
  const last = { user_id: after_user_id, provider: after_provider }
  return { ...pass, last, counts: JSON.parse(counts) }
}

/**
 * Begins a pass in place of the one before, for this keyring.
 *
 * @returns the keyring's name
 */
export async function beginPass({ db, keyring }: Vault): Promise<string> {
  const name = nameKeyring(keyring)
  const settleKeyIds = db.prepare("UPDATE key_ids SET state = 'settled' WHERE state = 'in_use'")
  const insertPass = db
    .prepare(
      `INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
       SELECT 1, ?1, 1, json_group_object(
           key_id, json_object('rows', rows, 'done', 0, 'unopenable', 0)
         ), ?3, ?3
       FROM (
         SELECT key_id, count(*) AS rows
         FROM (SELECT key_id FROM api_keys LIMIT ?2) GROUP BY key_id
       ) WHERE TRUE
       ON CONFLICT (id) DO UPDATE SET
         keyring = excluded.keyring,
         revision = revision + 1,
         after_user_id = '',
         after_provider = '',
         counts = excluded.counts,
         started_at = excluded.started_at,
         moved_at = excluded.moved_at,
         finished_at = NULL,
         asked_at = NULL`,
    )
    .bind(name, COUNTED_ROWS, isoTime())
  const statements = [settleKeyIds, noteKeyId(db, keyring.sealingKeyId), insertPass]
  await db.batch(statements).catch(throwApiError)
  return name
}

/** The next rows of the pass, at most `limit`; none at its end. */
export async function readRows({ db }: Vault, { last }: Pass, limit: number): Promise<SealedRow[]> {
  const { results } = await db
    .prepare(
      `SELECT user_id, provider, encrypted_api_key, key_id FROM api_keys
       WHERE (user_id, provider) > (?1, ?2) ORDER BY user_id, provider LIMIT ?3`,
    )
    .bind(last.user_id, last.provider, limit)
    .all<SealedRow>()
    .catch(throwApiError)
  return results
}

/**
 * Writes the resealed keys, and where the pass has come to, in one transaction. A row that a PUT or a
 * DELETE has changed meanwhile stays as that left it. At the end of the pass, a kid that no row was
 * written under since it began, and under which it left none, is unused.
 *
 * @returns the pass as it is now; null where another run has moved it
 */
export async function movePass(
  { db, keyring: { sealingKeyId } }: Vault,
  pass: Pass,
  { resealed, ended }: { resealed: Resealed[]; ended: boolean },
): Promise<Pass | null> {
  const next = { ...pass, finished_at: ended ? isoTime() : null }
  const statements = [
    updatePass(db, next),
    noteKeyId(db, sealingKeyId),
    swapKeys(db, sealingKeyId, resealed),
  ]
  if (ended) statements.push(releaseKeyIds(db, pass.revision + 1))
  const [moved] = await db.batch(statements).catch(throwApiError)
  return moved?.meta.changes === 1 ? { ...next, revision: pass.revision + 1 } : null
}

function swapKeys(db: D1Database, keyId: string, resealed: Resealed[]): D1PreparedStatement {
  const swaps = resealed.map(({ row, sealed }) => [
    row.user_id,
    row.provider,
    row.encrypted_api_key,
    sealed,
  ])
  return db
    .prepare(
      `UPDATE api_keys SET encrypted_api_key = value ->> 3, key_id = ?2 FROM json_each(?1)
       WHERE user_id = value ->> 0 AND provider = value ->> 1
         AND encrypted_api_key = value ->> 2`,
    )
    .bind(JSON.stringify(swaps), keyId)
}

function releaseKeyIds(db: D1Database, revision: number): D1PreparedStatement {
  return db
    .prepare(
      `UPDATE key_ids SET state = 'unused' WHERE state = 'settled'
         AND EXISTS (SELECT 1 FROM rewrap WHERE revision = ?1 AND finished_at IS NOT NULL)
         AND NOT EXISTS (
           SELECT 1 FROM rewrap, json_each(counts) AS count
           WHERE count.key = key_id AND count.value ->> 'unopenable' > 0
         )`,
    )
    .bind(revision)
}

/** `pass` is the next state at the revision that it was read at. */
function updatePass(db: D1Database, pass: Pass): D1PreparedStatement {
  const { last, counts, revision, finished_at } = pass
  return db
    .prepare(
      `UPDATE rewrap SET revision = revision + 1, after_user_id = ?2, after_provider = ?3,
         counts = ?4, moved_at = ?5, finished_at = ?6
       WHERE revision = ?1`,
    )
    .bind(revision, last.user_id, last.provider, JSON.stringify(counts), isoTime(), finished_at)
}

function isoTime(epochMs = Date.now()): string {
  return new Date(epochMs).toISOString()
}
