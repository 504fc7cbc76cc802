import { randomBytes } from 'node:crypto'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readMigrations, renderSchema } from '../../scripts/lib/migrations.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { LATEST_MIGRATION } from '../../src/store/migrations.ts'
import { makeCheckout } from './checkout.ts'
import { startCloudflareApi } from './cloudflare-api.ts'
import { someFernetRows } from './fernet.ts'

describe('migrations/', () => {
  it('matches schema.sql; after a change, run npm run schema -- write', () => {
    expect(readFileSync('schema.sql', 'utf8')).toBe(renderSchema())
  })

  it('ends with the migration that the Worker requires', () => {
    expect(readMigrations().at(-1)?.name).toBe(LATEST_MIGRATION)
  })
})

const SECRETS = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY', 'LEGACY_FERNET_KEY']
const { path, query, run, script, startDev, wrangler } = makeCheckout(SECRETS)
const TABLES = ['users', 'api_keys', 'key_ids', 'rewrap', 'imported_users']

const dump = () => TABLES.map((table) => query(`SELECT * FROM ${table} ORDER BY 1, 2`))

const d1 = async (...args: string[]) => wrangler('d1', ...args, '--local')

describe('a database of version 0.1.0', () => {
  const encryptionKey = randomBytes(32)
  const fernet = someFernetRows()
  const [legacy] = fernet.users

  /** Every kind of row that version 0.1.0 wrote. */
  beforeAll(async () => {
    const keyring = await createKeyring([encryptionKey])
    const { kid } = keyring.sealing
    const slots = ['openai', 'anthropic', 'gemini', 'default']
    const sealing = slots.map(async (provider) =>
      sealKey(keyring, { userId: 'demo', provider }, `sk-of-${provider}`),
    )
    const [active, rejected, unverified, plain] = await Promise.all(sealing)
    cpSync('test/node/schema-0.1.0.sql', path('old.sql'))
    await d1('execute', 'DB', '--file', 'old.sql')
    query(`INSERT INTO users (id) VALUES ('demo'), ('keyless'), ('legacy'), ('broken'), ('lost');
      INSERT INTO api_keys (user_id, provider, encrypted_api_key, key_id, status, last_used_at) VALUES
        ('demo', 'openai', '${active?.sealed}', '${kid}', 'active', '2026-01-01T00:00:00.000Z'),
        ('demo', 'anthropic', '${rejected?.sealed}', '${kid}', 'rejected', NULL),
        ('demo', 'gemini', '${unverified?.sealed}', '${kid}', 'unverified', NULL),
        ('demo', 'default', '${plain?.sealed}', '${kid}', 'unverified', NULL),
        ('legacy', 'default', '${legacy?.token}', 'fernet', 'unverified', NULL),
        ('broken', 'default', 'v1.${kid}.AAAA', '${kid}', 'unverified', NULL),
        ('lost', 'default', 'v1.0123456789ab.AAAA', '0123456789ab', 'unverified', NULL);
      INSERT INTO key_ids (key_id, state) VALUES
        ('${kid}', 'in_use'), ('fernet', 'in_use'), ('0123456789ab', 'settled'), ('old', 'unused');
      INSERT INTO rewrap (id, keyring, revision, counts, started_at, moved_at)
        VALUES (1, '${kid}', 7, '{}', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
      INSERT INTO imported_users (id, saved_at) VALUES ('legacy', '2026-01-01T00:00:00.000Z'),
        ('removed', '9999-12-31T23:59:59.999Z')`)
    const secrets = {
      API_KEY_ENCRYPTION_KEY: encryptionKey.toString('base64'),
      JWT_SECRET_KEY: randomBytes(32).toString('hex'),
      LEGACY_FERNET_KEY: fernet.key,
    }
    const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`)
    writeFileSync(path('.dev.vars'), lines.join('\n'))
  })

  it('is refused by the commands, and they say what to run', async () => {
    await expect(script('users', 'list')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/local database lacks migrations.*First run: npm run schema\n/),
    })
  })

  it('is migrated once by npm run schema, and keeps every row', async () => {
    const before = dump()
    expect(await script('schema')).toContain(LATEST_MIGRATION)
    expect(await script('schema')).toContain('No migrations to apply')
    expect(dump()).toMatchObject(before)
    expect(query('SELECT * FROM imported_keys')).toEqual([
      { user_id: 'legacy', provider: 'default', saved_at: '2026-01-01T00:00:00.000Z' },
      { user_id: 'removed', provider: '', saved_at: '9999-12-31T23:59:59.999Z' },
    ])
  })

  it('is served with every key, also after a backup of it was restored', async () => {
    const served = async () => {
      const dev = await startDev(['--var', 'REWRAP_ROWS_PER_RUN:50'])
      const read = async (user: string) => {
        const token = (await script('token', user)).trim()
        const headers = { Authorization: `Bearer ${token}` }
        return (await fetch(`${dev.url}/api/users/${user}/api-keys`, { headers })).json()
      }
      const lists = [await read('demo'), await read('legacy'), await read('broken')]
      await dev.stop()
      return lists
    }
    const lists = await served()
    expect(lists).toMatchObject([
      {
        api_keys: expect.arrayContaining([
          expect.objectContaining({ provider: 'openai', status: 'active' }),
          expect.objectContaining({ provider: 'anthropic', status: 'rejected' }),
          expect.objectContaining({ provider: 'gemini', status: 'unverified' }),
          expect.objectContaining({ provider: 'default', has_api_key: true }),
        ]),
      },
      {
        api_keys: expect.arrayContaining([
          expect.objectContaining({
            provider: 'default',
            api_key_preview: `${legacy?.apiKey.slice(0, 8)}...`,
          }),
        ]),
      },
      {
        api_keys: expect.arrayContaining([
          expect.objectContaining({ provider: 'default', error: 'Invalid encrypted key' }),
        ]),
      },
    ])
    await d1('export', 'DB', '--output', 'backup.sql')
    rmSync(path('.wrangler'), { recursive: true })
    await d1('execute', 'DB', '--file', 'backup.sql')
    expect(await script('schema')).toContain('No migrations to apply')
    expect(await served()).toEqual(lists)
  })
})

describe('npm run deploy', () => {
  let api: Awaited<ReturnType<typeof startCloudflareApi>>
  const deploy = async (args = '', env = api.env) =>
    run(
      'env',
      ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
      'sh',
      '-c',
      `${process.execPath} scripts/deploy.ts ${args} 2>&1; echo "exit $?"`,
    )

  beforeAll(async () => {
    api = await startCloudflareApi()
    api.database.exec(readFileSync('test/node/schema-0.1.0.sql', 'utf8'))
    const config = readFileSync(path('wrangler.toml'), 'utf8')
    const id = 'database_name = "user-key-vault"\ndatabase_id = "deployed"'
    writeFileSync(
      path('wrangler.toml'),
      config
        .replace('database_name = "user-key-vault"', id)
        .replace(/^required = .*/m, 'required = []'),
    )
  })
  afterAll(async () => api.close())

  it('lists the pending migrations in a dry run, and applies none', async () => {
    const printed = await deploy('--dry-run')
    expect(printed).toContain(LATEST_MIGRATION)
    expect(printed).toContain('--dry-run: exiting now.')
    expect(printed).toMatch(/exit 0\n$/)
    expect(api.database.prepare('SELECT * FROM d1_migrations').all()).toEqual([])
  })

  it('builds in a dry run that cannot list the migrations, and exits with 1', async () => {
    const printed = await deploy('--dry-run', { ...api.env, CLOUDFLARE_ACCOUNT_ID: 'other' })
    expect(printed).toContain('--dry-run: exiting now.')
    expect(printed).toContain('Could not list the pending migrations of the deployed database')
    expect(printed).toMatch(/exit 1\n$/)
  })

  it.for(['--config other.toml', '-c other.toml'])('refuses %s', async (option) => {
    const printed = await deploy(option)
    expect(printed).toContain('Set VAULT_CONFIG instead of --config')
    expect(printed).toMatch(/exit 1\n$/)
    expect(api.database.prepare('SELECT * FROM d1_migrations').all()).toEqual([])
  })

  it('refuses when the database cannot be migrated', async () => {
    api.database.exec('DROP TABLE d1_migrations; CREATE VIEW d1_migrations AS SELECT 1 AS id')
    const printed = await deploy()
    expect(printed).toContain('Nothing was deployed, because the migrations were not applied.')
    expect(printed).toMatch(/exit 1\n$/)
    api.database.exec('DROP VIEW d1_migrations')
  })

  it('migrates before it deploys', async () => {
    const printed = await deploy()
    const applied = api.database.prepare('SELECT name FROM d1_migrations').all()
    expect(applied.at(-1)).toEqual({ name: LATEST_MIGRATION })
    expect(printed).not.toContain('Nothing was deployed')
  })
})
