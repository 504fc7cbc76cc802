/** Several Workers on the same local D1 databases, each with the maps that it was deployed with. */

import { createTestHarness } from 'wrangler'
import { applyMigrations } from '../lib/migrations.ts'
import type { Answer, Ask } from './shards-client.ts'
import type { Maps } from './shards-map.ts'
import { MOVE_TABLES } from './shards-move.ts'

const WORKERS = ['shards-1', 'shards-2', 'shards-3']

/** The Workers, and their databases. */
export interface Vault {
  workers: string[]
  databases: D1Database[]
  /** Deploys a Worker with these maps. */
  deploy: (worker: string, maps: Maps) => void
  /** Asks a Worker. */
  askWorker: (worker: string, ...asked: Parameters<Ask>) => Promise<Answer>
  close: () => Promise<void>
}

/** Starts the Workers on `count` empty databases. */
export async function startVault(count: number, maps: Maps): Promise<Vault> {
  const names = Array.from({ length: count }, (_, number) => `DB${number}`)
  const d1_databases = names.map((binding) => ({
    binding,
    database_name: binding,
    database_id: binding,
  }))
  const workers = WORKERS.map((name) => ({
    config: {
      name,
      main: 'scripts/bench/shards-worker.ts',
      compatibility_date: '2026-08-03',
      d1_databases,
    },
  }))
  const harness = createTestHarness({ workers })
  await harness.listen()
  const env = await harness.getWorker<Record<string, D1Database>>(WORKERS[0]).getEnv()
  const databases = names.flatMap((name) => env[name] ?? [])
  await Promise.all(databases.map(makeTables))
  const deployed = new Map(WORKERS.map((worker) => [worker, maps]))
  return {
    workers: WORKERS,
    databases,
    deploy: (worker, next) => void deployed.set(worker, next),
    askWorker: async (worker, method, userId, query = {}) => {
      const { from, to } = deployed.get(worker) ?? maps
      const search = new URLSearchParams({ from: String(from), to: String(to), ...query })
      const answer = await harness
        .getWorker(worker)
        .fetch(`/${userId}?${search.toString()}`, { method })
      return { status: answer.status, text: await answer.text() }
    },
    close: async () => harness.close(),
  }
}

async function makeTables(db: D1Database): Promise<void> {
  await applyMigrations(db)
  await db.batch(MOVE_TABLES.map((sql) => db.prepare(sql)))
}
