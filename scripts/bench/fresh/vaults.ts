/** Runs several vaults in one workerd, each in an isolate of its own, and a Worker that uses keys through them. */

import { randomBytes } from 'node:crypto'
import { createKeyring, type Keyring } from '../../../src/crypto/keyring.ts'
import { applyMigrations } from '../../lib/migrations.ts'
import { bundle, bundleVault, DATE, directSocket, start } from '../http/workers.ts'
import type { D1Calls, D1State } from './d1.ts'

/** A vault: the name of its database, and how long it keeps keys at hand. */
export interface VaultSetting {
  database: string
  freshSeconds: number
}

/** The running vaults. */
export interface Vaults {
  /** Base URLs of the vaults, in their order. */
  urls: string[]
  /** Base URL of the Worker that uses keys. */
  caller: string
  databases: D1Database[]
  keyring: Keyring
  /** The secret of the tokens. */
  secret: string
  /** Makes the D1 of a vault answer or not. Returns what the vault has sent to it until then. */
  setD1: (vault: number, state?: D1State) => Promise<D1Calls>
  /** Moves the clock of a vault. */
  moveClock: (vault: number, seconds: number) => Promise<void>
  close: () => Promise<void>
}

const VARIABLES = {
  AUTO_CREATE_USERS: 'true',
  VERIFY_ON_SAVE: 'false',
  RELAY_SCOPE: 'relay',
  JWT_TEAM_CLAIM: 'team',
  JWT_TEAM_ADMIN: 'role=admin',
}

/** Starts the vaults. `origin` is the provider of the slot `openai`. */
export async function startVaults(
  settings: readonly VaultSetting[],
  origin: string,
): Promise<Vaults> {
  const encryptionKey = randomBytes(32)
  const secret = randomBytes(32).toString('hex')
  const variables = {
    API_KEY_ENCRYPTION_KEY: encryptionKey.toString('base64'),
    JWT_SECRET_KEY: secret,
    PROVIDERS: JSON.stringify({ openai: { origin } }),
    ...VARIABLES,
  }
  const modules = [
    {
      type: 'ESModule' as const,
      path: 'main.js',
      contents: await bundle('../fresh/vault-worker.ts'),
    },
    { type: 'ESModule' as const, path: 'vault.js', contents: bundleVault() },
  ]
  const vaults = settings.map(({ database, freshSeconds }, index) => ({
    ...directSocket,
    name: `vault-${index}`,
    modules,
    compatibilityDate: DATE,
    bindings: { ...variables, USE_FRESH_SECONDS: String(freshSeconds) },
    d1Databases: { DB: database },
  }))
  const miniflare = start({ workers: [...vaults, await callerOf(settings.length)] })
  await miniflare.ready
  const urlOf = async (name: string) => (await miniflare.unsafeGetDirectURL(name)).origin
  const urls = await Promise.all(vaults.map(async ({ name }) => urlOf(name)))
  const databases = new Map<string, D1Database>()
  for (const [index, { database }] of settings.entries()) {
    if (databases.has(database)) continue
    // oxlint-disable no-await-in-loop -- one after the other
    const db = await miniflare.getD1Database('DB', `vault-${index}`)
    await applyMigrations(db)
    // oxlint-enable no-await-in-loop
    databases.set(database, db)
  }
  return {
    urls,
    caller: await urlOf('caller'),
    databases: [...databases.values()],
    keyring: await createKeyring([encryptionKey]),
    secret,
    setD1: async (vault, state) => readJson<D1Calls>(`${urls[vault]}/d1?state=${state ?? ''}`),
    moveClock: async (vault, seconds) => {
      await readJson(`${urls[vault]}/d1?ahead=${seconds}`)
    },
    close: async () => miniflare.dispose(),
  }
}

async function callerOf(count: number) {
  const props = { caller: 'bench', grants: ['use'], teams: true }
  const bound = Array.from({ length: count }, (_, index) => [
    `VAULT_${index}`,
    { name: `vault-${index}`, entrypoint: 'UnlimitedVault', props },
  ])
  return {
    ...directSocket,
    name: 'caller',
    modules: true as const,
    script: await bundle('../fresh/caller-worker.ts'),
    compatibilityDate: DATE,
    serviceBindings: Object.fromEntries(bound),
  }
}

async function readJson<T>(url: string): Promise<T> {
  const response = await fetch(url)
  return response.json()
}
