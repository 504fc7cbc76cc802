/** The program that the kill test and the soak test start: the vault on a database in a directory, with its jobs. */

import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import { seedOwners } from '../soak/owners.ts'
import type { VaultOptions } from './vault-process.ts'

async function start(asked: VaultOptions): Promise<Miniflare> {
  const { directory, bindings, isNew, owners = 0, entry = 'test/kill/vault-worker.ts' } = asked
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    external: ['cloudflare:workers'],
    conditions: ['workerd', 'browser'],
  })
  const options = convertV4MiniflareOptions({
    resourcePersistencePath: directory,
    handleStructuredLogs: () => {},
    ...(asked.isInspected && { inspectorPort: 0 }),
    workers: [
      {
        name: 'vault',
        modules: true,
        script: outputFiles[0]?.text ?? '',
        compatibilityDate: '2026-08-03',
        d1Databases: { DB: 'vault' },
        durableObjects: { DELETIONS: { className: 'Deletions', useSQLite: true } },
        bindings,
        unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
      },
    ],
  })
  const miniflare = new Miniflare(options)
  await miniflare.ready
  const db = await miniflare.getD1Database('DB', 'vault')
  if (isNew) await applyMigrations(db)
  await seedOwners(db, owners, bindings['API_KEY_ENCRYPTION_KEY'] ?? '')
  return miniflare
}

/** Runs the jobs once, and says so. */
async function runJobs(miniflare: Miniflare): Promise<void> {
  const { outcome } = await (await miniflare.getWorker('vault')).scheduled()
  console.log(`job ${outcome}`)
}

// The options hold secrets, so they come over a pipe. The pipe ends if the test does.
process.stdin.once('end', () => process.exit())
process.stdin.once('data', (text) => {
  void (async () => {
    const options: VaultOptions = JSON.parse(text.toString())
    const miniflare = await start(options)
    // The vault notes which keys are gone once the jobs have run.
    await runJobs(miniflare)
    const { origin } = await miniflare.unsafeGetDirectURL('vault')
    const inspector = options.isInspected ? (await miniflare.getInspectorURL()).href : ''
    console.log(`ready ${origin} ${inspector}`)
    for (;;) {
      await runJobs(miniflare)
      await sleep(options.jobPauseMs)
    }
  })()
})
