/** The table `rewrap`: its only row is the rewrap job's latest pass over `api_keys`. */

import { COUNTED_ROWS, type Cursor } from './api-keys.ts'
import type { Statement } from './d1.ts'

/** The rows under one kid, as the passes counted them. */
export interface Count {
  /** When the pass began. */
  rows: number
  /** Those that the pass opened. */
  done: number
  /** Those that did not open in the pass. */
  unopenable: number
  /** Those that did not open although the keyring had their encryption key, when a pass last ended with it. */
  lost?: number
  /** Each list of Fernet kids, joined by commas, with which an earlier pass opened rows. */
  opened_with?: string[]
}

/** The counts by kid. */
export type Counts = Record<string, Count>

/** A pass over `api_keys` in the order of their primary key. Times are ISO 8601 in UTC. */
export interface Pass {
  /** The keyring by its kids; see `parseKeyring`. */
  keyring: string
  /** Grows by one with each change of the row. */
  revision: number
  /** The last row that the pass has handled. */
  last: Cursor
  counts: Counts
  startedAt: string
  movedAt: string
  finishedAt: string | null
  /** When an operator asked for another pass. */
  askedAt: string | null
  /** The slot that the default slots' keys move to; null if they stay. */
  assignTo: string | null
}

/** The row of the table. */
export interface PassRow extends Omit<Pass, 'last' | 'counts'> {
  userId: string
  provider: string
  /** JSON of {@link Counts}. */
  counts: string
}

const COLUMNS = `keyring, revision, after_user_id AS userId, after_provider AS provider, counts,
  started_at AS startedAt, moved_at AS movedAt, finished_at AS finishedAt, asked_at AS askedAt,
  assign_to AS assignTo`

/** The pass in a row. */
export function toPass({ userId, provider, counts, ...pass }: PassRow): Pass {
  return { ...pass, last: { userId, provider }, counts: JSON.parse(counts) }
}

/** The latest pass, whether or not it is finished. */
export function selectPass(): Statement<PassRow> {
  return { sql: `SELECT ${COLUMNS} FROM rewrap`, values: [] }
}

/**
 * The pass, and whether another one is due. It is due in three cases: an operator asked for it, a row was
 * written under another kid than `sealingKid`, or the rows that lacked their key were last tried before
 * `recheckBefore`.
 */
export function selectPassDue(
  sealingKid: string,
  recheckBefore: string,
): Statement<PassRow & { due: 0 | 1 }> {
  return {
    sql: `SELECT ${COLUMNS},
            asked_at IS NOT NULL OR finished_at IS NOT NULL AND EXISTS (
              SELECT 1 FROM key_ids WHERE key_id <> ?1
                AND (state = 'in_use' OR state = 'settled' AND finished_at < ?2)
            ) AS due
          FROM rewrap`,
    values: [sealingKid, recheckBefore],
  }
}

/**
 * Begins a pass that replaces the previous one. It counts up to {@link COUNTED_ROWS} rows, and keeps what `carried`
 * knows besides.
 */
export function upsertPass(keyring: string, startedAt: string, carried: Counts = {}): Statement {
  return {
    sql: `INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
          SELECT 1, ?1, 1, json_patch(?4, json_group_object(
              key_id, json_object('rows', rows, 'done', 0, 'unopenable', 0)
            )), ?3, ?3
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
    values: [keyring, COUNTED_ROWS, startedAt, JSON.stringify(carried)],
  }
}

/** Saves the new state of a pass. It changes no row if another run has moved the pass meanwhile. */
export function updatePass({ revision, last, counts, movedAt, finishedAt }: Pass): Statement {
  return {
    sql: `UPDATE rewrap SET revision = revision + 1, after_user_id = ?2, after_provider = ?3,
            counts = ?4, moved_at = ?5, finished_at = ?6,
            assign_to = CASE WHEN ?6 IS NULL OR asked_at IS NOT NULL THEN assign_to END
          WHERE revision = ?1`,
    values: [revision, last.userId, last.provider, JSON.stringify(counts), movedAt, finishedAt],
  }
}

/**
 * Asks for another pass. With `assignTo`, that pass moves the default slots' keys to that slot. It changes
 * no row if the job has not run yet.
 */
export function askForPass(askedAt: string, assignTo: string | null = null): Statement {
  return {
    sql: 'UPDATE rewrap SET asked_at = ?1, assign_to = coalesce(?2, assign_to)',
    values: [askedAt, assignTo],
  }
}
