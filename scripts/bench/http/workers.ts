/** Runs the vault's deployed bundle and the Workers to compare with in one workerd. */

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { build } from 'esbuild'
import {
  convertV4MiniflareOptions,
  Miniflare,
  type V4WorkerOptions as WorkerOptions,
} from 'miniflare'
import { createKeyring } from '../../../src/crypto/keyring.ts'
import { applyMigrations } from '../../lib/migrations.ts'
import { cpuOf, findChildren, memoryOf } from './cpu.ts'
import { startFlask } from './flask.ts'
import { seed, type BenchUser } from './seed.ts'

export const DATE = '2026-08-03'
const BUNDLE = '.wrangler/bench'
/** The running Workers. */
export interface Workers {
  /**
   * Base URLs: `provider`, `vault`, `hot` (the vault with a `USE_FRESH_SECONDS`), `hello`, `same`, `least`, `hand`, the ways
   * to call a provider (`direct`, `entrypoint`, `caller` and `hot-caller`), and `flask` if it is installed.
   */
  urls: Record<string, string>
  users: BenchUser[]
  db: D1Database
  /** The CPU time of a Worker's process since its start, in µs. */
  cpu: (worker: string) => number
  /** The memory of the vault's process, in MB. */
  memory: () => number
  inspectorUrl: string
  close: () => Promise<void>
}

/** The amount of data in D1. A profile needs unminified names and the inspector. */
export interface Setting {
  users: number
  slots: number
  isProfiled?: boolean
}

/** Starts the Workers, with `users` users that each have a key in `slots` slots. */
export async function startWorkers({
  users: count,
  slots,
  isProfiled = false,
}: Setting): Promise<Workers> {
  const encryptionKey = randomBytes(32)
  const keyring = await createKeyring([encryptionKey])
  const secret = randomBytes(32).toString('hex')
  const bindings = {
    API_KEY_ENCRYPTION_KEY: encryptionKey.toString('base64'),
    JWT_SECRET_KEY: secret,
    KID: keyring.sealing.kid,
  }
  const first = start({ workers: [await peerOf('hello', {})] })
  const { origin } = await first.unsafeGetDirectURL('hello')
  const others = findChildren(process.pid, 'workerd')
  const peers = await Promise.all(
    (['hello', 'same', 'least', 'hand'] as const).map(async (peer) => peerOf(peer, bindings)),
  )
  const miniflare = start({
    ...(isProfiled && { inspectorPort: 0 }),
    workers: [
      ...(await vaultsOf(bindings, { origin, isProfiled })),
      ...peers,
      ...(await callersOf(origin)),
    ],
  })
  await miniflare.ready
  const db = await miniflare.getD1Database('DB', 'vault')
  await applyMigrations(db)
  const users = await seed(db, { keyring, secret, users: count, slots })
  const flask = await startFlask(secret, users)
  const own = findChildren(process.pid, 'workerd').filter((pid) => !others.includes(pid))
  const workerd = cpuOf(own)
  const names = ['vault', 'hot', 'hello', 'same', 'least', 'hand']
  const urls = names.map(
    async (name) => [name, (await miniflare.unsafeGetDirectURL(name)).origin] as const,
  )
  const caller = (await miniflare.unsafeGetDirectURL('caller')).origin
  return {
    urls: {
      ...Object.fromEntries(await Promise.all(urls)),
      ...Object.fromEntries(WAYS.map((way) => [way, `${caller}/${way}`])),
      provider: origin,
      ...(flask && { flask: flask.url }),
    },
    users,
    db,
    cpu: (worker) => (worker === 'flask' ? (flask?.cpu() ?? 0) : workerd()),
    memory: memoryOf(own),
    inspectorUrl: isProfiled ? (await miniflare.getInspectorURL()).href : '',
    close: async () => {
      flask?.close()
      await Promise.all([miniflare.dispose(), first.dispose()])
    },
  }
}

const common = { modules: true as const, compatibilityDate: DATE, d1Databases: { DB: 'bench' } }
export const directSocket = { unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }] }

export async function bundle(entry: string): Promise<string> {
  const options = {
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2024',
  } as const
  const external = ['cloudflare:workers', './vault.js']
  const { outputFiles } = await build({
    entryPoints: [`scripts/bench/http/${entry}`],
    external,
    ...options,
  })
  return outputFiles[0]?.text ?? ''
}

export async function peerOf(
  peer: string,
  bindings: Record<string, string>,
): Promise<WorkerOptions> {
  const script = await bundle('peer-worker.ts')
  return { ...common, ...directSocket, name: peer, script, bindings: { ...bindings, PEER: peer } }
}

/** Returns the bundle that wrangler would deploy. */
export function bundleVault(isProfiled = false): string {
  const minify = isProfiled ? [] : ['--minify']
  const args = [
    'node_modules/wrangler/bin/wrangler.js',
    'deploy',
    '--dry-run',
    '--outdir',
    BUNDLE,
    ...minify,
  ]
  execFileSync(process.execPath, args, { stdio: 'ignore' })
  return readFileSync(`${BUNDLE}/index.js`, 'utf8')
}

/** The vault, which asks D1 at each use, and the same one that keeps keys at hand. */
async function vaultsOf(
  bindings: Record<string, string>,
  { origin, isProfiled }: { origin: string | null; isProfiled: boolean },
): Promise<[WorkerOptions, WorkerOptions]> {
  const vault = {
    ...directSocket,
    compatibilityDate: DATE,
    d1Databases: { DB: 'bench' },
    modules: [
      { type: 'ESModule' as const, path: 'main.js', contents: await bundle('vault-worker.ts') },
      { type: 'ESModule' as const, path: 'vault.js', contents: bundleVault(isProfiled) },
    ],
  }
  const variables = {
    ...bindings,
    RELAY_SCOPE: 'relay',
    ...(origin !== null && { PROVIDERS: JSON.stringify({ openai: { origin } }) }),
  }
  return [
    { ...vault, name: 'vault', bindings: variables },
    { ...vault, name: 'hot', bindings: { ...variables, USE_FRESH_SECONDS: '10' } },
  ]
}

/** How the caller's Worker calls a provider. */
const WAYS = ['direct', 'entrypoint', 'caller', 'hot-caller']

/** The Worker that calls a provider, and the one with the empty entrypoint. */
async function callersOf(origin: string): Promise<WorkerOptions[]> {
  const props = { caller: 'bench', grants: ['use'] }
  const script = await bundle('caller-worker.ts')
  const worker = { modules: true as const, script, compatibilityDate: DATE }
  const caller = {
    ...worker,
    ...directSocket,
    name: 'caller',
    bindings: { PROVIDER: origin },
    serviceBindings: {
      ENTRYPOINT: { name: 'empty', entrypoint: 'EmptyEntrypoint' },
      KEY_VAULT: { name: 'vault', entrypoint: 'UnlimitedVault', props },
      HOT_VAULT: { name: 'hot', entrypoint: 'UnlimitedVault', props },
    },
  }
  return [caller, { ...worker, name: 'empty' }]
}

/** Drops the log lines: the Workers write them, but nobody reads them. */
function handleStructuredLogs(): void {}

/** Converts the shorter options of Miniflare 4 to those of Miniflare 5. */
export function start(options: Parameters<typeof convertV4MiniflareOptions>[0]): Miniflare {
  return new Miniflare(convertV4MiniflareOptions({ ...options, handleStructuredLogs }))
}

/** The first request of a fresh process: its time in ms, its CPU time, and the CPU time since the start, in µs. */
export interface Start {
  ms: number
  cpu: number
  cpuInAll: number
}

/** Starts one Worker alone, as a new deployment configures it, and sends one request. */
export async function startOnce(worker: 'vault' | 'hello'): Promise<Start> {
  const bindings = {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: randomBytes(32).toString('hex'),
  }
  const [vault] = await vaultsOf(bindings, { origin: null, isProfiled: false })
  const options = worker === 'vault' ? vault : await peerOf('hello', {})
  const others = findChildren(process.pid, 'workerd')
  const miniflare = start({ workers: [options] })
  const { origin } = await miniflare.unsafeGetDirectURL(worker)
  const cpu = cpuOf(findChildren(process.pid, 'workerd').filter((pid) => !others.includes(pid)))
  const cpuBefore = cpu()
  const startedAt = performance.now()
  const response = await fetch(`${origin}/api/users/user/api-key`)
  await response.text()
  const [ms, cpuInAll] = [performance.now() - startedAt, cpu()]
  const figures = { ms, cpu: cpuInAll - cpuBefore, cpuInAll }
  await miniflare.dispose()
  return figures
}
