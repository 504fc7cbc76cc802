/** Starts the Worker in workerd without a proxy before it, so that it sees its clients' connections. */

import { randomBytes } from 'node:crypto'
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from 'miniflare'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import { signToken } from '../../scripts/lib/token.ts'
import { bundleWorker, COMPATIBILITY_DATE } from '../../scripts/lib/worker-bundle.ts'
import { requireLines } from '../log-lines.ts'
import { limitersWith } from './wrangler-names.ts'

const NAME = 'user-key-vault'
const SCOPE = 'relay'

type Vars = Record<string, string>

/** The Worker of the vault, without rate limits. */
async function describeVault(vars: Vars, inject: string[]) {
  return {
    name: NAME,
    modules: true,
    script: await bundleWorker('src/index.ts', inject),
    compatibilityDate: COMPATIBILITY_DATE,
    d1Databases: { DB: 'vault' },
    ratelimits: limitersWith(1_000_000),
    bindings: {
      RELAY_SCOPE: SCOPE,
      VERIFY_ON_SAVE: 'false',
      API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
      ...vars,
    },
  } satisfies V4WorkerOptions
}

/** A Worker named `caller` that is bound to the vault, and knows the address of a provider. */
export function describeCaller(script: string, provider: string, providers?: readonly string[]) {
  const props = { caller: 'chat', grants: ['use'], ...(providers && { providers }) }
  return {
    name: 'caller',
    modules: true,
    script,
    compatibilityDate: COMPATIBILITY_DATE,
    bindings: { PROVIDER: provider },
    serviceBindings: { KEY_VAULT: { name: NAME, entrypoint: 'KeyVault', props } },
  } satisfies V4WorkerOptions
}

/** What runs beside the vault. Each Worker has a port of its own. */
interface Beside {
  others?: readonly V4WorkerOptions[]
  /** More Workers of the vault on the same database, by name, with the variables that they have more. */
  copies?: Record<string, Vars>
  /** The copies whose `RELAY_LIMITER` lets nothing through. */
  limited?: readonly string[]
  /** Modules that run before the vault. */
  inject?: string[]
}

/** A limiter that refuses all. One of Miniflare lets some through, and begins anew each minute. */
const LIMITER = {
  name: 'limiter',
  modules: true,
  script: `import { WorkerEntrypoint } from 'cloudflare:workers'
    export class Limiter extends WorkerEntrypoint { async limit() { return { success: false } } }`,
  compatibilityDate: COMPATIBILITY_DATE,
} satisfies V4WorkerOptions

const { RELAY_LIMITER: _, ...OTHER_LIMITERS } = limitersWith(1_000_000)

const LIMITED = {
  ratelimits: OTHER_LIMITERS,
  serviceBindings: { RELAY_LIMITER: { name: LIMITER.name, entrypoint: 'Limiter' } },
}

/** Starts the vault with the user `user` and `vars`, and what runs beside it. */
export async function startDirectVault(
  vars: Vars,
  { others = [], copies = {}, limited = [], inject = [] }: Beside = {},
) {
  const secret = randomBytes(32).toString('hex')
  const logged: string[] = []
  const vault = await describeVault({ JWT_SECRET_KEY: secret, ...vars }, inject)
  const vaults = Object.entries(copies).map(([name, more]) =>
    Object.assign({}, vault, {
      name,
      bindings: { ...vault.bindings, ...more },
      ...(limited.includes(name) && LIMITED),
    }),
  )
  const unsafeDirectSockets = [{ host: '127.0.0.1', port: 0 }]
  const limiters = limited.length === 0 ? [] : [LIMITER]
  const workers = [vault, ...vaults, ...others, ...limiters].map((worker) =>
    Object.assign({}, worker, { unsafeDirectSockets }),
  )
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers,
      handleStructuredLogs: ({ message }: { message: string }) => void logged.push(message),
    }),
  )
  const db = await openDatabase(miniflare).catch(async (error: unknown) => {
    await miniflare.dispose()
    throw error
  })
  const { href: url } = await miniflare.unsafeGetDirectURL(NAME)
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

/** Waits until the Workers run, and makes the tables with the user `user`. */
async function openDatabase(miniflare: Miniflare) {
  await miniflare.ready
  const db = await miniflare.getD1Database('DB', NAME)
  await applyMigrations(db)
  await db.prepare("INSERT INTO users (id) VALUES ('user')").run()
  return db
}
