import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { withDatabase } from '../../../scripts/lib/database.ts'
import { startDatabase, type TestDatabase } from '../database.ts'
import { enterFolder } from '../run-script.ts'

/** What Wrangler has read from the configuration file. */
let config: Record<string, unknown>
/** What Wrangler was asked to open, and how often it was disposed of. */
let opened: { configPath: string; remoteBindings: boolean; text: string } | undefined
let disposals = 0

vi.mock('wrangler', () => ({
  unstable_readConfig: () => config,
  getPlatformProxy: async (asked: { configPath: string; remoteBindings: boolean }) => {
    opened = { ...asked, text: readFileSync(asked.configPath, 'utf8') }
    return { env: { DB: database.db }, dispose: async () => void (disposals += 1) }
  },
}))

let database: TestDatabase
let folder: ReturnType<typeof enterFolder>
beforeAll(async () => {
  database = await startDatabase()
  folder = enterFolder()
})
afterAll(async () => {
  folder.leave()
  await database.close()
})
beforeEach(() => {
  const secrets = { required: ['API_KEY_ENCRYPTION_KEY'] }
  const DB = { binding: 'DB', database_id: 'deployed' }
  config = { name: 'vault', main: 'src/index.ts', secrets, d1_databases: [DB] }
  ;[opened, disposals] = [undefined, 0]
})

it.for([false, true])('opens the database alone, with remote: %j', async (remote) => {
  const count = async (db: D1Database) => db.prepare('SELECT count(*) AS rows FROM users').all()
  expect(await withDatabase({ remote }, count)).toMatchObject({ results: [{ rows: 0 }] })
  expect(opened?.remoteBindings).toBe(remote)
  expect(JSON.parse(opened?.text ?? '')).toEqual({
    name: 'vault',
    d1_databases: [{ binding: 'DB', database_id: 'deployed', remote }],
  })
})

it.for<[name: string, work: () => Promise<unknown>]>([
  ['ends well', async () => 'done'],
  [
    'fails',
    async () => {
      throw new Error('It failed')
    },
  ],
])('closes the database after work that %s, and leaves no file', async ([, work]) => {
  await withDatabase({ remote: false }, work).catch(String)
  expect(disposals).toBe(1)
  expect(existsSync(opened?.configPath ?? '')).toBe(false)
  expect(readdirSync('.wrangler')).toEqual([])
})

it.for([
  ['lacks the last migration', 'UPDATE d1_migrations SET name = name || 1', false],
  ['has no tables', 'ALTER TABLE d1_migrations RENAME TO kept', true],
] as const)('says what to run for a database that %s', async ([, change, remote]) => {
  await database.query(change)
  const used = withDatabase({ remote }, async () => 'used')
  const which = remote ? 'deployed' : 'local'
  const command = remote ? 'npm run schema -- --remote' : 'npm run schema'
  await expect(used).rejects.toThrow(
    `The ${which} database lacks migrations of this version. First run: ${command}`,
  )
  expect(disposals).toBe(1)
  const undo = remote
    ? 'ALTER TABLE kept RENAME TO d1_migrations'
    : "UPDATE d1_migrations SET name = rtrim(name, '1')"
  await database.query(undo)
})

it('refuses a configuration that has no database', async () => {
  config['d1_databases'] = [{ binding: 'OTHER' }]
  const used = withDatabase({ remote: false }, async () => 'used')
  await expect(used).rejects.toThrow('wrangler.toml has no D1 binding DB')
})

it('refuses to open a deployed database that the configuration does not name', async () => {
  config['d1_databases'] = [{ binding: 'DB' }]
  const used = withDatabase({ remote: true }, async () => 'used')
  await expect(used).rejects.toThrow(
    'wrangler.toml has no database_id for DB. Create a database: npx wrangler d1 create',
  )
})
