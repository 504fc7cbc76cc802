import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestHarness } from 'wrangler'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { makeFernet } from '../crypto/make-fernet.ts'
import { makeCheckout } from './checkout.ts'
import { startProvider } from './provider-server.ts'
import { NO_VARS } from './start-vault.ts'

const { path, script, wrangler, query } = makeCheckout()
const JWT_SECRET_KEY = randomBytes(32).toString('hex')
const fernetKey = randomBytes(32)
const LEGACY_FERNET_KEY = `${fernetKey.toString('base64url')}=`

let provider: Awaited<ReturnType<typeof startProvider>>
let harness: ReturnType<typeof createTestHarness>

/** The deployed vault with a bound Worker and the previous backend's key. */
beforeAll(async () => {
  provider = await startProvider()
  const providers = { openai: { origin: provider.url } }
  harness = createTestHarness({
    workers: [
      {
        configPath: 'examples/chat-worker/wrangler.toml',
        vars: { OPENAI_ORIGIN: provider.url },
        secrets: { JWT_SECRET_KEY },
      },
      {
        configPath: 'wrangler.toml',
        vars: { ...NO_VARS, PROVIDERS: JSON.stringify(providers), LEGACY_FERNET_KEY },
        secrets: { JWT_SECRET_KEY, API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64') },
      },
    ],
  })
  await harness.listen()
})
afterAll(async () => {
  await harness.close()
  await provider.close()
})

/** Imports `csv` into the checkout's D1, and copies all rows into the vault's D1. */
async function importInto(DB: D1Database, csv: string): Promise<string> {
  writeFileSync(path('users.csv'), csv)
  writeFileSync(path('.dev.vars'), `LEGACY_FERNET_KEY=${LEGACY_FERNET_KEY}\n`)
  await wrangler('d1', 'migrations', 'apply', 'DB', '--local')
  const printed = await script('import', 'users.csv', '--provider', 'openai')
  await applyMigrations(DB)
  for (const table of ['users', 'api_keys', 'key_ids', 'imported_keys']) {
    for (const row of query(`SELECT * FROM ${table}`)) {
      const names = Object.keys(row)
      const places = names.map((_, index) => `?${index + 1}`)
      // oxlint-disable-next-line no-await-in-loop -- users before the keys that refer to them
      await DB.prepare(`INSERT INTO ${table} (${names.join()}) VALUES (${places.join()})`)
        .bind(...Object.values(row))
        .run()
    }
  }
  return printed
}

describe('users who move in from Flask and PostgreSQL', () => {
  it('keep using their keys over a binding, without entering them again', async () => {
    const keys = new Map(['7', '8'].map((id) => [id, `sk-good-${crypto.randomUUID()}`]))
    const lines = Array.from(keys, async ([id, key]) => {
      const iv = randomBytes(16)
      const token = await makeFernet(fernetKey, iv, 1_700_000_000, new TextEncoder().encode(key))
      return `${id},a@example.com,\\x${Buffer.from(token).toString('hex')}`
    })
    const csv = [
      'id,email,encrypted_api_key',
      ...(await Promise.all(lines)),
      '9,b@example.com,NULL',
    ]
    const vault = harness.getWorker<{ DB: D1Database }>('user-key-vault')
    const printed = await importInto((await vault.getEnv()).DB, csv.join('\n'))
    expect(printed).toMatch(/Read +3\nUsers added +3\nKeys added +2\nAlready there +0\nRefused +0/)

    const chat = async (userId: string) => {
      const token = await signToken({ sub: userId }, JWT_SECRET_KEY)
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
      const response = await harness.fetch('/chat', {
        method: 'POST',
        headers,
        body: '{"messages":[]}',
      })
      if (response.status !== 200) return response.json()
      await fetch(`${provider.url}/release`, { method: 'POST' })
      return response.text()
    }
    for (const [userId, key] of keys) {
      expect(await chat(userId)).toContain('data: [DONE]')
      expect(await (await fetch(`${provider.url}/seen/${key}`)).json()).toMatchObject([
        { url: '/v1/chat/completions', headers: { authorization: `Bearer ${key}` } },
      ])
    }
    expect(await chat('9')).toMatchObject({ code: 'no_api_key' })
  })
})
