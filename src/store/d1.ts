/** Runs statements on D1, and names its errors. Each call is one round trip. */

import { VaultError } from '../errors.ts'

/** An SQL statement, with a value for each `?1`, `?2`, … in it, that answers rows of type `Row`. */
export interface Statement<Row = never> {
  readonly sql: string
  readonly values: readonly (string | number | null)[]
  /** Never set: it carries the type. */
  readonly row?: Row
}

/** @throws VaultError `database_busy`, `server_misconfigured`; any other error is D1's own */
export async function run<Row>(db: D1Database, statement: Statement<Row>): Promise<D1Result<Row>> {
  return prepare(db, statement).all<Row>().catch(throwNamed)
}

/** Runs the statements in order, as one transaction. @throws as {@link run} */
export async function runBatch<Row>(
  db: D1Database,
  statements: readonly Statement<Row>[],
): Promise<D1Result<Row>[]> {
  return db.batch<Row>(statements.map((statement) => prepare(db, statement))).catch(throwNamed)
}

function prepare(db: D1Database, { sql, values }: Statement<unknown>): D1PreparedStatement {
  return db.prepare(sql).bind(...values)
}

/** The D1 errors that pass by themselves: https://developers.cloudflare.com/d1/observability/debug-d1/ */
const TRANSIENT = /overloaded|to be reset|was reset|DB reset|Network connection lost|transient/

function throwNamed(cause: unknown): never {
  const message = String(cause)
  const schemaFault = nameSchemaFault(message)
  if (schemaFault !== null) {
    throw new VaultError('server_misconfigured', { cause: new Error(schemaFault, { cause }) })
  }
  if (!TRANSIENT.test(message)) throw cause
  throw new VaultError('database_busy', { cause, retryAfter: 1 })
}

declare const process: { env: { NODE_ENV?: string } }

/** Wrangler replaces `process.env.NODE_ENV` when it builds: a deployed Worker is a production build. */
const SCHEMA_COMMAND =
  process.env.NODE_ENV === 'production' ? 'npm run schema -- --remote' : 'npm run schema'

/** What every database has since its first migration. */
const FIRST_TABLES = new Set(['users', 'api_keys', 'key_ids', 'rewrap', 'imported_users'])

/** For a database that lacks a migration of this version. */
export const OLDER_DATABASE = `The database is older than this version: run ${SCHEMA_COMMAND}`

/** What is wrong with the database's schema, and the fix; null if the error is not about that. */
function nameSchemaFault(message: string): string | null {
  const [, table] = /no such table: (\w+)/.exec(message) ?? []
  if (table !== undefined && FIRST_TABLES.has(table)) {
    return `The database has no tables: run ${SCHEMA_COMMAND}`
  }
  const isOlder = table !== undefined || /no such column|has no column named/.test(message)
  return isOlder ? OLDER_DATABASE : null
}
