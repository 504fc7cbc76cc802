/** A D1 database with the tables, for tests in Node.js. */

import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { D1_SERVER, D1Client } from './d1-client.ts'
import { applyMigrations } from '../../scripts/lib/migrations.ts'

/** What a statement returns. */
export type Row = Record<string, unknown>

/** The database `db`, which calls `watch` after each batch. */
export function watchBatches(db: D1Database, watch: () => void): D1Database {
  const batch: D1Database['batch'] = async (statements) => {
    const results = await db.batch<never>(statements)
    watch()
    return results
  }
  return new Proxy(db, {
    get: (_, name) => (name === 'batch' ? batch : Reflect.get(db, name)),
  })
}

/** Starts the database, in memory. */
export async function startDatabase() {
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: D1_SERVER,
      compatibilityDate: '2026-08-03',
      d1Databases: { DB: 'vault' },
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    }),
  )
  await miniflare.ready
  const url = await miniflare.unsafeGetDirectURL()
  const db = new D1Client(async (asked) =>
    fetch(url, { method: 'POST', body: JSON.stringify(asked) }),
  )
  await applyMigrations(db)
  const tables = await db
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table'
       AND name NOT IN ('d1_migrations', 'heartbeat', 'import_secret')
       AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*' ORDER BY rowid`,
    )
    .all<{ name: string }>()
  const names = tables.results.map(({ name }) => name)
  const emptying = [
    // The keys that refer to users first.
    ...names.toReversed().map((name) => `DELETE FROM ${name}`),
    "UPDATE heartbeat SET at = '', copied = 0",
  ].map((sql) => db.prepare(sql))
  return {
    db,
    /** Runs the statements of `sql`. @returns the rows of the last one */
    query: async (...sql: string[]): Promise<Row[]> => {
      const results = await db.batch<Row>(sql.map((statement) => db.prepare(statement)))
      return results.at(-1)?.results ?? []
    },
    empty: async () => void (await db.batch(emptying)),
    close: async () => miniflare.dispose(),
  }
}

export type TestDatabase = Awaited<ReturnType<typeof startDatabase>>

/** Starts the database for the tests of a file. It is empty before each. */
export function useDatabase() {
  let database: TestDatabase
  beforeAll(async () => {
    database = await startDatabase()
  })
  afterAll(async () => database.close())
  beforeEach(async () => database.empty())
  return {
    get db() {
      return database.db
    },
    query: async (...sql: string[]) => database.query(...sql),
  }
}
