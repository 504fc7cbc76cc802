/** A D1 whose calls are counted, and which can be stopped. */

/**
 * What D1 does: it answers; it refuses each call at once; it does not answer; or it refuses only to read a key anew.
 */
export type D1State = 'up' | 'lost' | 'silent' | 'not-anew'

/** What an isolate has sent to D1. A call is one round trip. */
export interface D1Calls {
  calls: number
  statements: number
  /** Calls that a use waits for. */
  waitedFor: number
}

/** Longer than the vault waits for an answer. */
const SILENT_MS = 30_000

/** As a connection to D1 that ends says it. */
const LOST = 'D1_ERROR: Network connection lost.'

export interface WatchedD1 {
  db: D1Database
  seen: D1Calls
  state: D1State
}

/** Watches the calls of a D1. */
export function watchD1(db: D1Database): WatchedD1 {
  const texts = new WeakMap<D1PreparedStatement, string>()
  const seen = { calls: 0, statements: 0, waitedFor: 0 }
  const watched: WatchedD1 = { db, seen, state: 'up' }

  async function call<T>(statements: readonly string[], send: () => Promise<T>): Promise<T> {
    seen.calls += 1
    seen.statements += statements.length
    // A use picks its key and counts itself. A key that is read anew is only picked.
    const isRead = statements.every((sql) => sql.startsWith('SELECT'))
    if (!isRead && statements[0]?.startsWith('SELECT') === true) seen.waitedFor += 1
    const { state } = watched
    if (state === 'silent') await scheduler.wait(SILENT_MS)
    if (state !== 'up' && (isRead || state !== 'not-anew')) throw new Error(LOST)
    return send()
  }

  function prepare(sql: string): D1PreparedStatement {
    const statement = db.prepare(sql)
    const bind = (...values: unknown[]) => {
      const bound = statement.bind(...values)
      const all = bound.all.bind(bound)
      texts.set(bound, sql)
      return Object.assign(bound, { all: async () => call([sql], async () => all()) })
    }
    return Object.assign(Object.create(statement), { bind })
  }

  async function batch(statements: D1PreparedStatement[]): Promise<D1Result[]> {
    const sent = statements.map((statement) => texts.get(statement) ?? '')
    return call(sent, async () => db.batch(statements))
  }

  watched.db = Object.assign(Object.create(db), { prepare, batch })
  return watched
}
