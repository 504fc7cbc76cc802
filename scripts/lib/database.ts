/** Opens the D1 database for a command: the local one, or with `--remote` the deployed one. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VaultError } from '../../src/errors.ts'
import { run, selectLatestMigration } from '../../src/store/d1.ts'
import { Advised, npmCommand, wranglerCommand } from './advice.ts'
import { CONFIG } from './wrangler.ts'

/** How long a command waits for the local database, which another program may have locked. */
const LOCKED_MS = 5_000
const ASK_AGAIN_MS = 50

/** Which database a command uses. */
export interface Where {
  remote: boolean
}

/**
 * Opens the database of the binding `DB`, and closes it after `work`. The local database is that of
 * `wrangler dev`. A remote binding connects to the deployed one:
 * https://developers.cloudflare.com/workers/development-testing/#remote-bindings
 * `work` also gets the name of the database, for a question.
 *
 * @throws Error if the database lacks a migration of this version
 */
export async function withDatabase<T>(
  where: Where,
  work: (db: D1Database, name: string) => Promise<T>,
): Promise<T> {
  // Loading it takes most of a second. A command that only prints its usage does not need it.
  const { getPlatformProxy, unstable_readConfig: readConfig } = await import('wrangler')
  const config = readConfig({ config: CONFIG }, { hideWarnings: true })
  const configPath = writeConfig(where, config)
  try {
    const persist = { path: resolve('.wrangler/state/v3') }
    const remoteBindings = where.remote
    const proxy = await getPlatformProxy<{ DB: D1Database }>({
      configPath,
      persist,
      remoteBindings,
    })
    try {
      await requireMigrated(proxy.env.DB, where)
      return await work(proxy.env.DB, nameDatabase(where, config))
    } finally {
      await proxy.dispose()
    }
  } finally {
    rmSync(dirname(configPath), { recursive: true })
  }
}

/** The part of the configuration that the binding needs. */
interface Configuration {
  name?: string
  account_id?: string
  compatibility_date?: string
  d1_databases: { binding: string; database_id?: string; database_name?: string }[]
}

/** Which database it is, and of which configuration. */
export function nameDatabase({ remote }: Where, { d1_databases }: Configuration): string {
  const { database_name: name = 'DB' } = findDatabase(d1_databases)
  return `the ${remote ? 'deployed' : 'local'} database ${name} of ${CONFIG}`
}

function findDatabase(databases: Configuration['d1_databases']) {
  const database = databases.find(({ binding }) => binding === 'DB')
  if (database === undefined) throw new Error(`${CONFIG} has no D1 binding DB`)
  return database
}

/** Writes a configuration with only the binding, which needs no secret and no file of the Worker. */
function writeConfig({ remote }: Where, given: Configuration): string {
  const { name, account_id, compatibility_date, d1_databases } = given
  const database = findDatabase(d1_databases)
  if (remote && database.database_id === undefined) {
    throw new Advised(
      `${CONFIG} has no database_id for DB.`,
      `Create a database: ${wranglerCommand('d1 create user-key-vault')}`,
    )
  }
  const config = { name, account_id, compatibility_date, d1_databases: [{ ...database, remote }] }
  mkdirSync('.wrangler', { recursive: true })
  const path = join(mkdtempSync('.wrangler/command-'), 'wrangler.json')
  writeFileSync(path, JSON.stringify(config))
  return path
}

async function requireMigrated(db: D1Database, where: Where): Promise<void> {
  // A Worker that runs locks the local file for a moment when it closes it.
  const until = Date.now() + (where.remote ? 0 : LOCKED_MS)
  if (await isMigrated(db, until)) return
  const which = where.remote ? 'deployed' : 'local'
  throw new Advised(
    `The ${which} database lacks migrations of this version.`,
    `First run: ${npmCommand('schema', where)}`,
  )
}

/** Whether the database has every migration. While it is busy, this asks again until the time `until`. */
async function isMigrated(db: D1Database, until: number): Promise<boolean> {
  try {
    return (await run(db, selectLatestMigration())).results.length > 0
  } catch (error) {
    const code = error instanceof VaultError ? error.code : null
    if (code === 'server_misconfigured') return false
    if (code !== 'database_busy' || Date.now() >= until) throw error
  }
  await sleep(ASK_AGAIN_MS)
  return isMigrated(db, until)
}
