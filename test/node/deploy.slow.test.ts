/** `npm run deploy` with a substitute for Cloudflare. `test/scripts/deploy.test.ts` has what it refuses. */

import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LATEST_MIGRATION } from '../../src/store/d1.ts'
import { makeCheckout } from './checkout.ts'
import { startCloudflareApi } from './cloudflare-api.ts'
import { addMigration, NEXT_MIGRATION } from './next-migration.ts'

const { path, runWith } = makeCheckout([])
let api: Awaited<ReturnType<typeof startCloudflareApi>>

beforeAll(async () => {
  api = await startCloudflareApi()
  const name = 'database_name = "user-key-vault"'
  const config = readFileSync(path('wrangler.toml'), 'utf8')
  const deployed = config.replace(name, `${name}\ndatabase_id = "deployed"`)
  writeFileSync(path('wrangler.toml'), deployed)
})
afterAll(async () => api.close())

/** What the command prints, and its exit code. */
const deploy = async (args = '') =>
  runWith(api.env, 'sh', '-c', `${process.execPath} scripts/deploy.ts ${args} 2>&1; echo "exit $?"`)

it('a dry run lists the pending migrations and applies none, and a deployment migrates first', async () => {
  const applied = () => api.database.prepare('SELECT name FROM d1_migrations').all()
  await deploy()
  expect(applied().at(-1)).toEqual({ name: LATEST_MIGRATION })

  addMigration(path('.'))
  const rehearsed = await deploy('--dry-run')
  expect(rehearsed).toContain(NEXT_MIGRATION)
  expect(rehearsed).not.toContain(LATEST_MIGRATION)
  expect(rehearsed).toContain('--dry-run: exiting now.')
  expect(rehearsed).toMatch(/exit 0\n$/)
  expect(applied().at(-1)).toEqual({ name: LATEST_MIGRATION })

  // The substitute lacks what comes after the migrations.
  const deployed = await deploy()
  expect(applied().at(-1)).toEqual({ name: NEXT_MIGRATION })
  expect(deployed).not.toContain('Nothing was deployed')
})
