/** A database moves to a next version of this project: `npm run schema`, and what its Worker serves before and after. */

import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { signToken } from '../../scripts/lib/token.ts'
import { makeCheckout } from './checkout.ts'
import { addMigration, NEXT_MIGRATION } from './next-migration.ts'
import { startProvider } from './provider-server.ts'

const { migrate, path, query, script, startWorker, wrangler } = makeCheckout()
const secret = randomBytes(32).toString('hex')
const USERS = ['ann', 'bob']
const keyOf = (userId: string) => `sk-good-of-${userId}`

/** Starts the Worker, and calls it for its users. */
async function startVault() {
  const worker = await startWorker()
  const call = async (method: string, route: string, userId: string, body?: object) => {
    const token = await signToken({ sub: userId, scope: 'relay' }, secret)
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const sent = body === undefined ? {} : { body: JSON.stringify(body) }
    return (await fetch(`${worker.url}${route}`, { method, headers, ...sent })).status
  }
  return {
    health: async () => (await fetch(`${worker.url}/api/health`)).status,
    waitFor: worker.waitFor,
    save: async (userId: string) =>
      call('PUT', `/api/users/${userId}/api-keys/openai?verify=false`, userId, {
        api_key: keyOf(userId),
      }),
    use: async (userId: string) => call('GET', '/relay/openai/v1/models', userId),
    [Symbol.asyncDispose]: async () => worker[Symbol.asyncDispose](),
  }
}

it('a next version is unhealthy until npm run schema, and then serves every key', async () => {
  const provider = await startProvider()
  onTestFinished(async () => provider.close())
  const table = `[vars]\nPROVIDERS = { openai = { origin = "${provider.url}" } }`
  const config = readFileSync(path('wrangler.toml'), 'utf8').replace('[vars]', table)
  writeFileSync(path('wrangler.toml'), config)
  const encryptionKey = randomBytes(32).toString('base64')
  writeFileSync(
    path('.dev.vars'),
    `API_KEY_ENCRYPTION_KEY=${encryptionKey}\nJWT_SECRET_KEY=${secret}\nRELAY_SCOPE=relay`,
  )
  await migrate()
  query("INSERT INTO users (id) VALUES ('ann'), ('bob'), ('new')")
  {
    await using vault = await startVault()
    for (const userId of USERS) expect(await vault.save(userId)).toBe(200)
  }
  const dump = () => ['users', 'api_keys'].map((name) => query(`SELECT * FROM ${name} ORDER BY 1`))
  const before = dump()

  addMigration(path('.'))
  {
    await using vault = await startVault()
    expect(await vault.health()).toBe(503)
    // The Worker may answer before its line is printed.
    await vault.waitFor('older than this version: run npm run schema')
  }
  await expect(script('users', 'list')).rejects.toThrow(
    /local database lacks migrations.*First run: npm run schema\n/,
  )
  expect(await script('schema')).toContain(NEXT_MIGRATION)
  expect(dump()).toMatchObject(before)
  {
    await using vault = await startVault()
    expect(await vault.health()).toBe(200)
    for (const userId of USERS) expect(await vault.use(userId)).toBe(200)
    expect(await vault.save('new')).toBe(200)
    expect(await vault.use('new')).toBe(200)
  }

  const migrated = dump()
  await wrangler('d1', 'export', 'DB', '--local', '--output', 'backup.sql')
  rmSync(path('.wrangler'), { recursive: true })
  await wrangler('d1', 'execute', 'DB', '--local', '--file', 'backup.sql')
  expect(await script('schema')).toContain('No migrations to apply')
  expect(dump()).toEqual(migrated)
})
