/** Measures the rewrap job on local D1, and only its statements for comparison. */

import { randomBytes } from 'node:crypto'
import { createTestHarness } from 'wrangler'
import { applyMigrations, type MigratedDatabase } from '../lib/migrations.ts'
import { formatCount } from '../lib/progress.ts'

const ROWS = 100_000
const ROUNDS = 3

const someKey = () => randomBytes(32).toString('base64')

/** Prints each round, the median ratio, and the costs of an idle run and of one row. */
export async function benchRewrap(): Promise<void> {
  const config = {
    name: 'bench',
    main: 'scripts/bench/rewrap-worker.ts',
    compatibility_date: '2026-08-03',
    d1_databases: [{ binding: 'DB', database_name: 'bench', database_id: 'bench' }],
    ratelimits: [
      { name: 'RATE_LIMITER', namespace_id: '1', simple: { limit: 100, period: 60 as const } },
    ],
    vars: { JWT_SECRET_KEY: randomBytes(32).toString('hex'), REWRAP_ROWS_PER_RUN: '25000' },
  }
  const harness = createTestHarness({ workers: [{ config }] })
  await harness.listen()
  const { DB } = await harness.getWorker<{ DB: MigratedDatabase }>().getEnv()
  await applyMigrations(DB)

  /** Runs a job of the Worker. Returns its seconds and its number of statements. */
  async function run(job: string, keys: string, rows = ROWS) {
    const query = new URLSearchParams({ keys, rows: String(rows) })
    const startedAt = performance.now()
    const response = await harness.fetch(`/${job}?${query.toString()}`)
    const body: unknown = await response.json()
    const seconds = (performance.now() - startedAt) / 1000
    if (typeof body !== 'object' || body === null || !('statements' in body)) throw new Error(job)
    return { seconds, statements: Number(body.statements) }
  }

  let key = someKey()
  await run('seed', key)
  const ratios: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const keys = `${someKey()},${key}`
    // oxlint-disable no-await-in-loop -- measured one after the other
    const bare = await run('bare', key)
    const rewrap = await run('rewrap', keys)
    // oxlint-enable no-await-in-loop
    ratios.push(rewrap.seconds / bare.seconds)
    console.log(
      `rewrap ${formatCount(ROWS / rewrap.seconds)} rows a second, ` +
        `${(rewrap.statements / (ROWS / 1000)).toFixed(1)} statements per 1,000 rows; ` +
        `its statements alone ${formatCount(ROWS / bare.seconds)} rows a second; ` +
        `ratio ${(rewrap.seconds / bare.seconds).toFixed(2)}`,
    )
    key = keys
  }
  console.log(`median ratio ${ratios.toSorted((one, other) => one - other)[1]?.toFixed(2)}`)
  const [idle, none] = [await run('idle', key), await run('rows', key, 0)]
  console.log(`idle run: ${idle.statements} statement`)
  const rows = await run('rows', key, 20_000)
  console.log(
    `open and seal: ${formatCount(((rows.seconds - none.seconds) / 20_000) * 1e6)} µs a row`,
  )
  await harness.close()
}
