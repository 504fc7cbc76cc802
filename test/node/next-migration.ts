/** Turns a checkout into a next version of this project, which needs one more migration. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LATEST_MIGRATION } from '../../src/store/d1.ts'

export const NEXT_MIGRATION = '9999_next.sql'

const SQL = `CREATE TABLE members (
  user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
  team    TEXT -- NULL; none
) WITHOUT ROWID;
ALTER TABLE api_keys ADD COLUMN team TEXT;
ALTER TABLE api_keys ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
`

/** Adds {@link NEXT_MIGRATION} to the checkout in `directory`. */
export function addMigration(directory: string): void {
  writeFileSync(join(directory, 'migrations', NEXT_MIGRATION), SQL)
  const source = join(directory, 'src/store/d1.ts')
  const code = readFileSync(source, 'utf8').replace(LATEST_MIGRATION, NEXT_MIGRATION)
  writeFileSync(source, code)
}
