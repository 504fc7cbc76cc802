/** The table `rewrap`: its only row is the rewrap job's latest pass over `api_keys`. */

import { COUNTED_ROWS, type Cursor } from './all-keys.ts'
import { NOW, type Statement } from './d1.ts'
import type { Selection } from './gone-keys.ts'

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
  /** Of foreign rows: each list of keys, joined by commas, with which an earlier pass opened some. */
  opened_with?: string[]
}

/** The counts by kid. */
export type Counts = Record<string, Count>

/** A pass over `api_keys` owner by owner, in the order of the keys' identities. Times are ISO 8601 in UTC. */
export interface Pass {
  /** The keyring by its kids; see `parseKeyring`. */
  keyring: string
  /** The `DEFAULT_PROVIDER` for which it runs; null without one. */
  defaultProvider: string | null
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
}

/** The row of the table. */
export interface PassRow extends Omit<Pass, 'last' | 'counts'>, Cursor {
  /** JSON of {@link Counts}. */
  counts: string
}

const COLUMNS = `keyring, default_provider AS defaultProvider, revision, after_user_id AS userId, after_identity AS identity, counts,
  started_at AS startedAt, moved_at AS movedAt, finished_at AS finishedAt, asked_at AS askedAt`

/** The pass in a row. */
export function toPass({ userId, identity, counts, ...pass }: PassRow): Pass {
  return { ...pass, last: { userId, identity }, counts: JSON.parse(counts) }
}

/** The latest pass, whether or not it is finished. */
export function selectPass(): Statement<PassRow> {
  return { sql: `SELECT ${COLUMNS} FROM rewrap`, values: [] }
}

/**
 * Begins a pass that replaces the previous one, at D1's time, by which keys are saved. It counts up to {@link COUNTED_ROWS} rows, and keeps what else `carried`
 * knows.
 */
export function upsertPass(
  { keyring, defaultProvider }: Pick<Pass, 'keyring' | 'defaultProvider'>,
  carried: Counts = {},
): Statement {
  return {
    sql: `INSERT INTO rewrap (id, keyring, default_provider, revision, counts, started_at, moved_at)
          SELECT 1, ?1, ?3, 1, json_patch(?4, json_group_object(
              key_id, json_object('rows', rows, 'done', 0, 'unopenable', 0)
            )), ${NOW}, ${NOW}
          FROM (
            SELECT key_id, count(*) AS rows
            FROM (SELECT key_id FROM api_keys LIMIT ?2) GROUP BY key_id
          ) WHERE TRUE
          ON CONFLICT (id) DO UPDATE SET
            keyring = excluded.keyring,
            default_provider = excluded.default_provider,
            revision = revision + 1,
            after_user_id = '',
            after_identity = '',
            counts = excluded.counts,
            started_at = excluded.started_at,
            moved_at = excluded.moved_at,
            finished_at = NULL,
            asked_at = NULL`,
    values: [keyring, COUNTED_ROWS, defaultProvider, JSON.stringify(carried)],
  }
}

/** The last row that is stored up to a position, in SQL; the start if there is none. */
const rowUpTo = (position: string, others = '') => `SELECT user_id, identity FROM (
    SELECT user_id, identity FROM api_keys WHERE (user_id, identity) <= (${position}) ${others}
    ORDER BY user_id DESC, identity DESC LIMIT 1
  ) UNION ALL SELECT '', '' LIMIT 1`

/**
 * Saves the new state of a pass. It changes no row if another run has saved one meanwhile. If the user of its last row was
 * removed, the pass goes on after the last row before it.
 */
export function updatePass({ revision, last, counts, movedAt, finishedAt }: Pass): Statement {
  return {
    sql: `UPDATE rewrap SET revision = revision + 1, counts = ?4, moved_at = ?5, finished_at = ?6,
            (after_user_id, after_identity) = (${rowUpTo('?2, ?3')})
          WHERE revision = ?1`,
    values: [revision, last.userId, last.identity, JSON.stringify(counts), movedAt, finishedAt],
  }
}

/** Moves the pass back to the previous row if its last one belongs to one of these users, who are about to be removed. */
export function releasePass({ sql, values }: Selection): Statement {
  const row = rowUpTo('after_user_id, after_identity', `AND user_id NOT IN (${sql})`)
  return {
    sql: `UPDATE rewrap SET (after_user_id, after_identity) = (${row}) WHERE after_user_id IN (${sql})`,
    values,
  }
}

/** Asks for another pass. It changes no row if the job has not run yet. */
export function askForPass(askedAt: string): Statement {
  return { sql: 'UPDATE rewrap SET asked_at = ?1', values: [askedAt] }
}
