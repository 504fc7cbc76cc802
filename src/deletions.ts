/** A second store, which remembers the keys that are gone: D1 forgets them if somebody restores it. */

import { DurableObject } from 'cloudflare:workers'
import type { GoneKey } from './shared/gone-key.ts'
import { DEFAULT_SLOT } from './shared/slot.ts'

/** The most keys that an exchange stores or returns. */
export const EXCHANGED_AT_ONCE = 200

/** What D1 has to know. */
export interface Exchange {
  /** Keys that are gone, and that D1 may still have, because it was restored. */
  missing: GoneKey[]
  /** The number of the last key that D1 knows of after it has deleted those. */
  copied: number
  /** Whether no others are missing. */
  isComplete: boolean
}

/** A key that D1 has. */
type HeldKey = Omit<GoneKey, 'goneAt'> & { createdAt: string }

const TABLE = `CREATE TABLE IF NOT EXISTS gone_keys (
    number   INTEGER NOT NULL PRIMARY KEY,
    user_id  TEXT NOT NULL,
    provider TEXT NOT NULL,
    version  TEXT NOT NULL,
    gone_at  TEXT NOT NULL,
    UNIQUE (user_id, version, provider)
  ) STRICT`

/** A type and not an interface, which `exec` would not take. */
type NumberedRow = Pick<GoneKey, keyof GoneKey> & { number: number }

/** A key that an import has brought back may go once more. */
const INSERT = `INSERT INTO gone_keys (number, user_id, provider, version, gone_at)
  VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (user_id, version, provider) DO UPDATE SET
    number = excluded.number, gone_at = excluded.gone_at WHERE excluded.gone_at > gone_at`

/** One instance holds all keys that are gone, each with a number. A later one has a higher number. */
export class Deletions extends DurableObject<Env> {
  readonly #sql: SqlStorage

  constructor(state: DurableObjectState, env: Env) {
    super(state, env)
    this.#sql = state.storage.sql
    this.#sql.exec(TABLE)
  }

  /** Stores the keys in `gone`, and returns those with numbers after `copied` that were stored before. */
  exchange(copied: number, gone: readonly GoneKey[]): Exchange {
    const rows = this.#sql
      .exec<NumberedRow>(
        `SELECT number, user_id AS userId, provider, version, gone_at AS goneAt FROM gone_keys
         WHERE number > ? ORDER BY number LIMIT ?`,
        copied,
        EXCHANGED_AT_ONCE,
      )
      .toArray()
    const last = this.#store(copied, gone)
    const isComplete = rows.length < EXCHANGED_AT_ONCE
    return {
      missing: rows,
      copied: isComplete ? last : (rows.at(-1)?.number ?? copied),
      isComplete,
    }
  }

  /**
   * Whether the key of a row that was created at `createdAt` is gone. It may have been moved from the default slot
   * before it was deleted. An import may have brought it back since.
   */
  isGone({ userId, provider, version, createdAt }: HeldKey): boolean {
    const found = this.#sql.exec(
      `SELECT 1 FROM gone_keys
       WHERE user_id = ? AND version = ? AND gone_at >= ? AND (provider = ? OR ?) LIMIT 1`,
      userId,
      version,
      createdAt,
      provider,
      provider === DEFAULT_SLOT ? 1 : 0,
    )
    return found.toArray().length > 0
  }

  /**
   * Stores keys, and returns the last number. Numbers begin with the time, so that those of a new store are
   * higher than those of a lost one, which D1 may still hold.
   */
  #store(copied: number, gone: readonly GoneKey[]): number {
    const sql = 'SELECT coalesce(max(number), 0) AS last FROM gone_keys'
    const { last } = this.#sql.exec<{ last: number }>(sql).one()
    let number = Math.max(copied, last)
    for (const { userId, provider, version, goneAt } of gone) {
      number = Math.max(number + 1, Date.now())
      this.#sql.exec(INSERT, number, userId, provider, version, goneAt)
    }
    return number
  }
}
