/** The table `d1_migrations`: the migrations that Wrangler has applied. */

import type { Statement } from './statement.ts'

/** The latest migration that this version needs. */
export const LATEST_MIGRATION = '0001_tables.sql'

/** Returns one row if the database has the latest migration. */
export function selectLatestMigration(): Statement<object> {
  return { sql: 'SELECT 1 FROM d1_migrations WHERE name = ?1', values: [LATEST_MIGRATION] }
}
