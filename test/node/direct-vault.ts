/** Starts the Worker in workerd without a proxy before it, so that it sees its clients' connections. */

import { randomBytes } from 'node:crypto'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from 'miniflare'
import { unstable_readConfig as readConfig } from 'wrangler'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { requireLines } from '../log-lines.ts'
import { NO_VARS } from './start-vault.ts'

const SCOPE = 'relay'

/** Bundles a Worker of this repository. */
export async function bundleWorker(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    external: ['cloudflare:workers', 'node:*'],
    conditions: ['workerd', 'browser'],
  })
  return outputFiles[0]?.text ?? ''
}

/**
 * Starts the vault with the user `user`, `vars`, and `others` beside it, each with a port of its own. `copies` are
 * more Workers of the vault, on the same database.
 */
export async function startDirectVault(
  vars: Record<string, string>,
  others: V4WorkerOptions[] = [],
  copies: string[] = [],
) {
  const { compatibility_date: compatibilityDate, compatibility_flags: compatibilityFlags } =
    readConfig({ config: 'wrangler.toml' })
  const secret = randomBytes(32).toString('hex')
  const limit = { simple: { limit: 1_000_000, period: 60 as const } }
  const logged: string[] = []
  const directSocket = { unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }
  const vault = {
    name: 'user-key-vault',
    modules: true,
    script: await bundleWorker('src/index.ts'),
    compatibilityDate,
    compatibilityFlags,
    d1Databases: { DB: 'vault' },
    ratelimits: {
      RATE_LIMITER: { ...limit, namespace_id: '1' },
      PROBE_LIMITER: { ...limit, namespace_id: '2' },
      RELAY_LIMITER: { ...limit, namespace_id: '3' },
      ADDRESS_LIMITER: { ...limit, namespace_id: '4' },
      CALLER_LIMITER: { ...limit, namespace_id: '5' },
    },
    bindings: {
      ...NO_VARS,
      RELAY_SCOPE: SCOPE,
      VERIFY_ON_SAVE: 'false',
      API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      JWT_SECRET_KEY: secret,
      ...vars,
    },
    ...directSocket,
  } satisfies V4WorkerOptions
  const vaults = copies.map((name) => Object.assign({}, vault, { name }))
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers: [vault, ...vaults, ...others.map((other) => ({ ...other, ...directSocket }))],
      handleStructuredLogs: ({ message }: { message: string }) => void logged.push(message),
    }),
  )
  await miniflare.ready
  const db = await miniflare.getD1Database('DB', 'user-key-vault')
  await applyMigrations(db)
  await db.prepare("INSERT INTO users (id) VALUES ('user')").run()
  const { href: url } = await miniflare.unsafeGetDirectURL('user-key-vault')
  const tokenOf = async (claims: Record<string, unknown>) =>
    signToken({ sub: 'user', scope: `openid ${SCOPE}`, client_id: 'web-app', ...claims }, secret)
  const token = await tokenOf({})
  return {
    url,
    secret,
    /** A token of the user with the relay's scope, and one with other claims. */
    token,
    tokenOf,
    /** Saves a key of the user. */
    save: async (slot: string, apiKey: string, more: object = {}) => {
      const saved = await fetch(new URL(`/api/users/user/api-keys/${slot}`, url), {
        method: 'PUT',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ api_key: apiKey, ...more }),
      })
      if (!saved.ok) throw new Error(await saved.text())
    },
    /** Runs one SQL statement. */
    sql: async (statement: string) => void (await db.prepare(statement).run()),
    urlOf: async (worker: string) => (await miniflare.unsafeGetDirectURL(worker)).href,
    logs: () => logged,
    /** Stops the vault. @throws Error if it logged a line that the schema of log lines does not have */
    close: async () => {
      await miniflare.dispose()
      requireLines(logged)
    },
  }
}
