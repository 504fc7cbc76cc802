/** A database of version 0.1.0 moves to this one: `npm run schema`, and what the Worker serves then. */

import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { unstable_splitSqlQuery as splitSql } from 'wrangler'
import { signToken } from '../../scripts/lib/token.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { LATEST_MIGRATION } from '../../src/store/migrations.ts'
import { makeCheckout } from './checkout.ts'
import { someFernetRows } from './fernet.ts'

const SECRETS = ['API_KEY_ENCRYPTION_KEY', 'JWT_SECRET_KEY', 'LEGACY_FERNET_KEY']
const { path, query, script, startWorker, withDatabase, wrangler } = makeCheckout(SECRETS)
const TABLES = ['users', 'api_keys', 'key_ids', 'rewrap', 'imported_users']

const encryptionKey = randomBytes(32)
const secret = randomBytes(32).toString('hex')
const fernet = someFernetRows()
const [legacy] = fernet.users

const dump = () => TABLES.map((table) => query(`SELECT * FROM ${table} ORDER BY 1, 2`))

/** Every kind of row that version 0.1.0 wrote. */
async function oldRows(): Promise<string> {
  const keyring = await createKeyring([encryptionKey])
  const { kid } = keyring.sealing
  const slots = ['openai', 'anthropic', 'gemini', 'default']
  const sealing = slots.map(async (provider) =>
    sealKey(keyring, { userId: 'demo', provider }, `sk-of-${provider}`),
  )
  const [active, rejected, unverified, plain] = await Promise.all(sealing)
  return `INSERT INTO users (id) VALUES ('demo'), ('keyless'), ('legacy'), ('broken'), ('lost');
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
      ('removed', '9999-12-31T23:59:59.999Z')`
}

/** What the Worker answers of the keys of three users. */
async function serveLists(): Promise<unknown[]> {
  await using worker = await startWorker()
  const read = async (sub: string) => {
    const headers = { Authorization: `Bearer ${await signToken({ sub }, secret)}` }
    return (await fetch(`${worker.url}/api/users/${sub}/api-keys`, { headers })).json()
  }
  const lists = await Promise.all(['demo', 'legacy', 'broken'].map(read))
  return lists
}

it('a database of version 0.1.0 is migrated once, keeps every row, and is served with every key', async () => {
  const secrets = {
    API_KEY_ENCRYPTION_KEY: encryptionKey.toString('base64'),
    JWT_SECRET_KEY: secret,
    LEGACY_FERNET_KEY: fernet.key,
  }
  const lines = Object.entries(secrets).map(([name, value]) => `${name}=${value}`)
  writeFileSync(path('.dev.vars'), lines.join('\n'))
  const statements = splitSql(readFileSync('test/node/schema-0.1.0.sql', 'utf8'))
  await withDatabase(async (db) => db.batch(statements.map((sql) => db.prepare(sql))))
  query(await oldRows())
  await expect(script('users', 'list')).rejects.toThrow(
    /local database lacks migrations.*First run: npm run schema\n/,
  )

  const before = dump()
  expect(await script('schema')).toContain(LATEST_MIGRATION)
  expect(dump()).toMatchObject(before)
  expect(query('SELECT * FROM imported_keys')).toEqual([
    { user_id: 'legacy', provider: 'default', saved_at: '2026-01-01T00:00:00.000Z' },
    { user_id: 'removed', provider: '', saved_at: '9999-12-31T23:59:59.999Z' },
  ])
  const slot = (provider: string, more: object) => expect.objectContaining({ provider, ...more })
  expect(await serveLists()).toMatchObject([
    {
      api_keys: expect.arrayContaining([
        slot('openai', { status: 'active' }),
        slot('anthropic', { status: 'rejected' }),
        slot('gemini', { status: 'unverified' }),
        slot('default', { has_api_key: true }),
      ]),
    },
    {
      api_keys: expect.arrayContaining([
        slot('default', { api_key_preview: `${legacy?.apiKey.slice(0, 8)}...` }),
      ]),
    },
    { api_keys: expect.arrayContaining([slot('default', { error: 'Invalid encrypted key' })]) },
  ])

  const migrated = dump()
  await wrangler('d1', 'export', 'DB', '--local', '--output', 'backup.sql')
  rmSync(path('.wrangler'), { recursive: true })
  await wrangler('d1', 'execute', 'DB', '--local', '--file', 'backup.sql')
  expect(await script('schema')).toContain('No migrations to apply')
  expect(dump()).toEqual(migrated)
})
