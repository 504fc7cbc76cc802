/** A second store, which remembers the keys that are gone: D1 forgets them if somebody restores it. */

import { DurableObject } from 'cloudflare:workers'

/** The most tombstones that an exchange stores or returns. */
export const EXCHANGED_AT_ONCE = 30_000

/** What D1 has to know. */
export interface Exchange {
  /** The identities of keys and users that are gone, and that D1 may still have, because it was restored. */
  missing: string[]
  /** The number of the last tombstone that D1 knows of after it has deleted those. */
  copied: number
  /** Whether no others are missing. */
  isComplete: boolean
}

const TABLE = `CREATE TABLE IF NOT EXISTS gone (
    number   INTEGER NOT NULL PRIMARY KEY,
    identity TEXT NOT NULL UNIQUE
  ) STRICT`

/** Numbers follow each other, from `?1`. */
const INSERT = `INSERT INTO gone (number, identity) SELECT ?1 + key, value FROM json_each(?2) WHERE TRUE
  ON CONFLICT (identity) DO NOTHING`

/** One instance holds the tombstones, each with a number. A later one has a higher number. */
export class Deletions extends DurableObject<Env> {
  readonly #sql: SqlStorage

  constructor(state: DurableObjectState, env: Env) {
    super(state, env)
    this.#sql = state.storage.sql
    this.#sql.exec(TABLE)
  }

  /** Stores the tombstones in `gone`, and returns those with numbers after `copied` that were stored before. */
  exchange(copied: number, gone: readonly string[]): Exchange {
    const rows = this.#sql
      .exec<{ number: number; identity: string }>(
        'SELECT number, identity FROM gone WHERE number > ? ORDER BY number LIMIT ?',
        copied,
        EXCHANGED_AT_ONCE,
      )
      .toArray()
    const last = this.#store(copied, gone)
    const isComplete = rows.length < EXCHANGED_AT_ONCE
    return {
      missing: rows.map(({ identity }) => identity),
      copied: isComplete ? last : (rows.at(-1)?.number ?? copied),
      isComplete,
    }
  }

  /** Whether the key or the user with this identity is gone. */
  isGone(identity: string): boolean {
    return this.#sql.exec('SELECT 1 FROM gone WHERE identity = ?', identity).toArray().length > 0
  }

  /** Whether it holds no tombstone. */
  isEmpty(): boolean {
    return this.#sql.exec('SELECT 1 FROM gone LIMIT 1').toArray().length === 0
  }

  /**
   * Stores tombstones, and returns the last number. Numbers begin with the time, so that those of a new store are
   * higher than those of a lost one, which D1 may still hold.
   */
  #store(copied: number, gone: readonly string[]): number {
    const sql = 'SELECT coalesce(max(number), 0) AS last FROM gone'
    const before = Math.max(copied, this.#sql.exec<{ last: number }>(sql).one().last)
    if (gone.length === 0) return before
    this.#sql.exec(INSERT, Math.max(before + 1, Date.now()), JSON.stringify(gone))
    return Math.max(copied, this.#sql.exec<{ last: number }>(sql).one().last)
  }
}
