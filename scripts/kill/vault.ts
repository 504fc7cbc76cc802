/** The program that the kill test starts and kills: the vault on a database in a directory, with its jobs. */

import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { applyMigrations } from '../lib/migrations.ts'
import type { VaultOptions } from './vault-process.ts'

const NO_LIMIT = { simple: { limit: 1_000_000, period: 60 as const } }

async function start({ directory, bindings, isNew }: VaultOptions): Promise<Miniflare> {
  const { outputFiles } = await build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    write: false,
    format: 'esm',
    external: ['cloudflare:workers'],
    conditions: ['workerd', 'browser'],
  })
  const options = convertV4MiniflareOptions({
    resourcePersistencePath: directory,
    handleStructuredLogs: () => {},
    workers: [
      {
        name: 'vault',
        modules: true,
        script: outputFiles[0]?.text ?? '',
        compatibilityDate: '2026-08-03',
        d1Databases: { DB: 'vault' },
        durableObjects: { DELETIONS: { className: 'Deletions', useSQLite: true } },
        ratelimits: {
          RATE_LIMITER: { ...NO_LIMIT, namespace_id: '1' },
          RELAY_LIMITER: { ...NO_LIMIT, namespace_id: '2' },
          PROBE_LIMITER: { ...NO_LIMIT, namespace_id: '3' },
          ADDRESS_LIMITER: { ...NO_LIMIT, namespace_id: '4' },
          CALLER_LIMITER: { ...NO_LIMIT, namespace_id: '5' },
        },
        bindings,
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
    ],
  })
  const miniflare = new Miniflare(options)
  await miniflare.ready
  if (isNew) await applyMigrations(await miniflare.getD1Database('DB', 'vault'))
  return miniflare
}

/** Runs the jobs one after the other, and says so after each run. */
async function runJobs(miniflare: Miniflare): Promise<never> {
  const vault = await miniflare.getWorker('vault')
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { outcome } = await vault.scheduled()
    console.log(`job ${outcome}`)
  }
}

// The options hold secrets, so they come over a pipe. The pipe ends if the test does.
process.stdin.once('end', () => process.exit())
process.stdin.once('data', (text) => {
  void (async () => {
    const miniflare = await start(JSON.parse(text.toString()))
    console.log(`ready ${(await miniflare.unsafeGetDirectURL('vault')).origin}`)
    await runJobs(miniflare)
  })()
})
