import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { run, LATEST_MIGRATION, selectLatestMigration } from '../../src/store/d1.ts'
import { emptyVault, env } from '../isolate.ts'
import {
  call,
  mintToken,
  putKey,
  recordLogs,
  slotPath,
  someKey,
  someKeyUser,
  someUser,
  storedKey,
} from '../support.ts'
import { FAULT, faultsOf, faultsOfTables } from './migration-faults.ts'

const found = async () => (await run(env.DB, selectLatestMigration())).results.length

it('needs the last file of migrations/', () => {
  const names = inject('migrations').map(({ name }) => name)
  expect(names.toSorted().at(-1)).toBe(LATEST_MIGRATION)
})

it('finds the latest migration in a database that has it, and not in an older one', async () => {
  onTestFinished(emptyVault)
  expect(await found()).toBe(1)
  const sql = 'DELETE FROM d1_migrations WHERE name = ?1'
  await env.DB.prepare(sql).bind(LATEST_MIGRATION).run()
  expect(await found()).toBe(0)
})

/** A migration of a next version, while this version still runs. */
const NEXT = [
  `CREATE TABLE members (
     user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE, team TEXT)`,
  'ALTER TABLE api_keys ADD COLUMN team TEXT',
  'ALTER TABLE api_keys ADD COLUMN priority INTEGER NOT NULL DEFAULT 0',
  "ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT ''",
]

it('this version opens, saves and uses keys after the migration of a next version', async () => {
  onTestFinished(emptyVault)
  recordLogs()
  const apiKeys = Array.from({ length: 3 }, () => `sk-good-${crypto.randomUUID()}`)
  const userIds = await Promise.all(apiKeys.map(async (apiKey) => someKeyUser(apiKey)))
  const storedKeys = async () =>
    Promise.all(userIds.map(async (userId) => storedKey(userId, env, 'openai')))
  await env.DB.batch(NEXT.map((sql) => env.DB.prepare(sql)))
  expect(await storedKeys()).toEqual(apiKeys)

  const [userId, ...others] = [...userIds, await someUser()]
  const token = await mintToken({ sub: userId, scope: 'relay' })
  expect((await call('GET', '/relay/openai/v1/models', { token })).status).toBe(200)
  const saved = others.map(async (other) => (await putKey(other, someKey())).status)
  expect(await Promise.all(saved)).toEqual([200, 200, 200])
  expect((await call('DELETE', slotPath(userId, 'openai'), { token })).status).toBe(200)
  expect(await storedKeys()).toEqual([null, ...apiKeys.slice(1)])
})

describe('migrations/', () => {
  const [first, ...later] = inject('migrations')

  it('the first migration declares tables that can get columns later', async () => {
    expect(await faultsOfTables(first?.queries ?? [])).toEqual([])
  })

  it('every later migration may run on ten million rows', async () => {
    const earlier = [...(first?.queries ?? [])]
    for (const { name, queries } of later) {
      // oxlint-disable-next-line no-await-in-loop -- each needs the ones before it
      const faults = await faultsOf(earlier, queries)
      expect({ name, faults }).toEqual({ name, faults: [] })
      earlier.push(...queries)
    }
  })
})

/** Tables as they should be declared. */
const TABLES = [
  'CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, created_at TEXT) WITHOUT ROWID',
  `CREATE TABLE api_keys (
     user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
     provider TEXT NOT NULL,
     status TEXT NOT NULL DEFAULT 'unverified', -- CHECK it with the provider
     PRIMARY KEY (user_id, provider)) WITHOUT ROWID`,
  'CREATE TABLE heartbeat (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), at TEXT) STRICT',
  "INSERT INTO heartbeat (id, at) VALUES (1, '')",
]
const STRICT = 'CREATE TABLE gone_keys (id TEXT NOT NULL PRIMARY KEY, cause TEXT) STRICT'
const CHECKED =
  "CREATE TABLE gone_keys (id TEXT NOT NULL PRIMARY KEY, cause TEXT CHECK (cause <> ''))"
const IS_STRICT = 'The table gone_keys is STRICT'
const HAS_CHECK = 'The table gone_keys has a CHECK'

it.for<[what: string, added: string, faults: string[]]>([
  ['no STRICT and no CHECK', "INSERT INTO users (id) VALUES ('a')", []],
  ['STRICT', STRICT, [IS_STRICT]],
  ['a CHECK', CHECKED, [HAS_CHECK]],
])('judges a table that is declared with %s', async ([, added, faults]) => {
  expect(await faultsOfTables([...TABLES, added])).toEqual(faults)
})

it.for<[what: string, migration: string[]]>([
  ['a column that may be NULL', ['ALTER TABLE api_keys ADD COLUMN label TEXT']],
  ['a column with a default', ['ALTER TABLE users ADD COLUMN keys INTEGER NOT NULL DEFAULT 0']],
  ['three columns and a table', NEXT],
  [
    'a new table with an index and its first row',
    [
      'CREATE TABLE teams (id TEXT NOT NULL PRIMARY KEY, name TEXT)',
      'CREATE INDEX teams_name ON teams (name)',
      "INSERT INTO teams (id, name) VALUES ('1', 'Team')",
    ],
  ],
  ['a column of the one row', ['ALTER TABLE heartbeat ADD COLUMN runs INTEGER']],
])('accepts a migration that adds %s', async ([, migration]) => {
  expect(await faultsOf(TABLES, migration)).toEqual([])
})

const REBUILD = [
  'CREATE TABLE again (user_id TEXT NOT NULL, provider TEXT NOT NULL, status TEXT)',
  'INSERT INTO again SELECT user_id, provider, status FROM api_keys',
  'DROP TABLE api_keys',
  'ALTER TABLE again RENAME TO api_keys',
]
const { growing, checking, changing } = FAULT

it.for<[what: string, migration: string[], faults: string[]]>([
  ['updates all rows', ["UPDATE api_keys SET status = 'active'"], [growing, changing]],
  ['looks for rows to update', ["UPDATE api_keys SET status = '' WHERE status = 'x'"], [growing]],
  ['fills a new table', ['CREATE TABLE ids AS SELECT id FROM users'], [growing]],
  ['deletes all rows', ['DELETE FROM api_keys'], [growing, changing]],
  ['rebuilds a table', REBUILD, [growing]],
  ['makes an index', ['CREATE INDEX by_status ON api_keys (status)'], [growing]],
  [
    'makes an index of a column that is NULL everywhere',
    [
      'ALTER TABLE api_keys ADD COLUMN label TEXT',
      'CREATE INDEX by_label ON api_keys (label) WHERE label IS NOT NULL',
    ],
    [growing],
  ],
  ['drops a column', ['ALTER TABLE api_keys DROP COLUMN status'], [growing, changing]],
  ['renames a column', ['ALTER TABLE api_keys RENAME COLUMN status TO state'], [changing]],
  ['renames a table', ['ALTER TABLE api_keys RENAME TO keys'], [changing]],
  ['drops a table', ['DROP TABLE api_keys'], [changing]],
  ['changes the one row', ["UPDATE heartbeat SET at = '2026-11-29'"], [changing]],
  [
    'adds a column with a CHECK',
    ['ALTER TABLE users ADD COLUMN keys INTEGER CHECK (keys > 0)'],
    [checking, 'The table users has a CHECK'],
  ],
  [
    'adds a computed column that is never NULL',
    ['ALTER TABLE users ADD COLUMN short TEXT NOT NULL AS (substr(id, 1, 8))'],
    [checking],
  ],
  ['makes a STRICT table', [STRICT], [IS_STRICT]],
  ['makes a table with a CHECK', [CHECKED], [HAS_CHECK]],
  [
    'lets a table refer to a later one',
    [
      'CREATE TABLE teams (id TEXT NOT NULL PRIMARY KEY)',
      'ALTER TABLE api_keys ADD COLUMN team_id TEXT REFERENCES teams (id)',
    ],
    ['An export has rows of api_keys before teams'],
  ],
  [
    'makes a trigger',
    ['CREATE TRIGGER gone AFTER DELETE ON api_keys BEGIN DELETE FROM users WHERE id = 0; END'],
    ['There is a trigger gone'],
  ],
])('refuses a migration that %s', async ([, migration, faults]) => {
  expect(await faultsOf(TABLES, migration)).toEqual(faults)
})

it('refuses a migration that adds a column to a STRICT table', async () => {
  const migration = ['ALTER TABLE gone_keys ADD COLUMN note TEXT']
  expect(await faultsOf([...TABLES, STRICT], migration)).toEqual([checking, IS_STRICT])
})

it('refuses a migration that adds a column which the rows would need a value for', async () => {
  const migration = ['ALTER TABLE users ADD COLUMN name TEXT NOT NULL']
  await expect(faultsOf(TABLES, migration)).rejects.toThrow('NOT NULL')
})
