import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { readMigrations, renderSchema } from '../../../scripts/lib/migrations.ts'
import { LATEST_MIGRATION } from '../../../src/store/migrations.ts'

it('schema.sql shows the tables of all migrations; after a change, run npm run schema -- write', () => {
  expect(readFileSync('schema.sql', 'utf8')).toBe(renderSchema())
})

it('the last migration is the one that the Worker requires', () => {
  expect(readMigrations().at(-1)?.name).toBe(LATEST_MIGRATION)
})

/** The rows as objects that compare with others: those of SQLite have no prototype. */
const toPlain = (rows: object[]) => rows.map((row) => Object.fromEntries(Object.entries(row)))

it('a database of version 0.1.0 is migrated, and keeps every row', () => {
  using database = new DatabaseSync(':memory:')
  database.exec(readFileSync('test/node/schema-0.1.0.sql', 'utf8'))
  database.exec(`INSERT INTO users (id) VALUES ('ann'), ('keyless');
    INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status, last_used_at) VALUES
      ('ann', 'openai', 'v1.a.AAAA', 'a', 'active', '2026-01-01T00:00:00.000Z'),
      ('ann', 'default', 'gAAAAA', 'fernet', 'unverified', NULL);
    INSERT INTO key_ids (key_id, state) VALUES ('a', 'in_use'), ('old', 'unused');
    INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
      VALUES (1, 'a', 7, '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
    INSERT INTO imported_users (id, saved_at) VALUES ('ann', '2026-01-01T00:00:00.000Z'),
      ('removed', '9999-12-31T23:59:59.999Z')`)
  const dump = () =>
    ['users', 'api_keys', 'key_ids', 'rewrap', 'imported_users'].map((table) =>
      toPlain(database.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all()),
    )
  const before = dump()
  for (const { sql } of readMigrations()) database.exec(sql)
  expect(dump()).toMatchObject(before)
  const imported = database.prepare('SELECT * FROM imported_keys').all()
  expect(toPlain(imported)).toEqual([
    { user_id: 'ann', provider: 'default', saved_at: '2026-01-01T00:00:00.000Z' },
    { user_id: 'removed', provider: '', saved_at: '9999-12-31T23:59:59.999Z' },
  ])
})
