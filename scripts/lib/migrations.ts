/** The numbered migrations of `migrations/`, and the schema that they make. */

import { readdirSync, readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

const DIRECTORY = 'migrations'

const HEADER = `-- The current schema, for readers: npm run schema -- write makes this file from migrations/.
-- npm run schema creates the tables in a database.
`

/** One migration: the name and the text of its file. */
export interface Migration {
  name: string
  sql: string
}

/** All migrations in order. */
export function readMigrations(): Migration[] {
  const names = readdirSync(DIRECTORY).filter((name) => name.endsWith('.sql'))
  return names.toSorted().map((name) => ({
    name,
    sql: readFileSync(`${DIRECTORY}/${name}`, 'utf8'),
  }))
}

/** The names of the migrations in what `wrangler d1 migrations list` has printed. */
export function listPending(printed: string): string[] {
  return readMigrations().flatMap(({ name }) => (printed.includes(name) ? [name] : []))
}

/** The text of `schema.sql`: the tables after all migrations, as SQLite describes them. */
export function renderSchema(): string {
  const database = new DatabaseSync(':memory:')
  for (const { sql } of readMigrations()) database.exec(sql)
  const select = 'SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid'
  const tables = database.prepare(select).all()
  database.close()
  return [HEADER, ...tables.map(({ sql }) => `${String(sql)};\n`)].join('\n')
}

/** The methods of a D1 database that are needed to make its tables. */
export interface MigratedDatabase {
  prepare: (sql: string) => { run: () => Promise<unknown> }
}

/** Makes the tables of a new database for a test or a benchmark, as Wrangler does. */
export async function applyMigrations(db: MigratedDatabase): Promise<void> {
  const record =
    'CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)'
  await db.prepare(record).run()
  for (const { name, sql } of readMigrations()) {
    // oxlint-disable no-await-in-loop -- in order
    await db.prepare(sql).run()
    await db.prepare(`INSERT INTO d1_migrations (name) VALUES ('${name}')`).run()
    // oxlint-enable no-await-in-loop
  }
}
