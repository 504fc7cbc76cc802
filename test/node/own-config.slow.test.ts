import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { makeCheckout } from './checkout.ts'

const { path, runWith, script } = makeCheckout()

it('each command reads the configuration that VAULT_CONFIG names', async () => {
  const database = 'database_name = "user-key-vault"'
  const tracked = readFileSync(path('wrangler.toml'), 'utf8')
  const own = tracked.replace(database, `${database}\ndatabase_id = "own"`)
  writeFileSync(path('wrangler.own.toml'), own)
  const withOwn = async (name: string, ...args: string[]) => {
    const env = { VAULT_CONFIG: 'wrangler.own.toml' }
    return runWith(env, process.execPath, `scripts/${name}.ts`, ...args)
  }
  await withOwn('schema')
  await withOwn('users', 'add', 'demo')
  expect(await withOwn('users', 'list')).toContain('"demo"')
  await expect(script('users', 'list')).rejects.toThrow('The local database lacks migrations')
})
