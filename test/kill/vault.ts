/** The program that the kill test and the soak test start: the vault on a database in a directory, with its jobs. */

import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import type { VaultOptions } from './vault-process.ts'

async function start({ directory, bindings, isNew }: VaultOptions): Promise<Miniflare> {
  const { outputFiles } = await build({
    entryPoints: ['test/kill/vault-worker.ts'],
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
    console.log(`ready ${(await miniflare.unsafeGetDirectURL('vault')).origin}`)
    for (;;) {
      await runJobs(miniflare)
      await sleep(options.jobPauseMs)
    }
  })()
})
