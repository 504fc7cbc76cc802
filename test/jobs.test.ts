/** The jobs of the Cron Trigger: each runs, whatever becomes of the others, and logs why it fails. */

import { createScheduledController } from 'cloudflare:test'
import { emptyVault, env } from './isolate.ts'
import { beforeEach, expect, it } from 'vitest'
import worker from '../src/index.ts'
import { runJob, runJobs } from '../src/jobs.ts'
import { interceptD1, recordLogs, someKey, someKeyUser } from './support.ts'

beforeEach(emptyVault)

const JOBS = [
  ['the rewrap job', 'rewrap_failed', 'rewrap'],
  ['the deletion of expired keys', 'expiry_failed', 'deleteExpired'],
  ['the deletion of old events', 'trail_not_trimmed', 'trimTrail'],
  ['the copy of deletions', 'deletions_not_copied', 'copyDeletions'],
  ['the check of idle keys', 'recheck_failed', 'recheck'],
] as const

/** For each job, by the event of its failure: how many rows there are if it has not run. */
const LEFT: Record<string, string> = {
  rewrap_failed: 'SELECT count(*) = 0 FROM rewrap',
  expiry_failed: "SELECT count(*) FROM api_keys WHERE expires_at < '2002'",
  trail_not_trimmed: "SELECT count(*) FROM api_key_events WHERE day < '2002'",
  deletions_not_copied: 'SELECT count(*) FROM gone_keys',
  recheck_failed: 'SELECT count(*) FROM recheck WHERE ended_at IS NULL',
}

/** A vault in which each job is on. */
const someVault = (changes: object = {}): Env => ({ ...env, RECHECK_AFTER_DAYS: '30', ...changes })

/** Something to do for each job. */
async function seedWork() {
  const userId = await someKeyUser(someKey())
  const change = (sql: string) => env.DB.prepare(sql).bind(userId)
  await env.DB.batch([
    change("UPDATE api_keys SET expires_at = '2001-01-01' WHERE user_id = ?1"),
    change("UPDATE api_key_events SET day = '2001-01-01' WHERE user_id = ?1"),
    change("INSERT INTO gone_keys (cause, identity) VALUES ('request', ?1)"),
  ])
}

/** The jobs that have not run. */
async function leftWork(): Promise<string[]> {
  const counts = Object.values(LEFT).map((sql) => env.DB.prepare(`SELECT (${sql}) AS count`))
  const results = await env.DB.batch<{ count: number }>(counts)
  return Object.keys(LEFT).filter((_, index) => results[index]?.results[0]?.count !== 0)
}

it('the Cron Trigger runs each job', async () => {
  recordLogs()
  await seedWork()
  expect(await leftWork()).toEqual(Object.keys(LEFT))
  await worker.scheduled(createScheduledController(), someVault())
  expect(await leftWork()).toEqual([])
})

/** Runs the jobs while a call of D1 fails. @returns the failures that were logged */
async function runWhileFails(failing: number) {
  const logs = recordLogs()
  let calls = 0
  const DB = interceptD1(async (trip) => {
    calls += 1
    if (calls === failing) throw new Error('D1_ERROR: D1 DB is overloaded.')
    return trip()
  })
  await expect(runJobs(someVault({ DB }))).rejects.toMatchObject({ code: 'database_busy' })
  return logs.events().filter(({ level }) => level === 'error')
}

it('a job that fails is logged, and the others run', async () => {
  const failed = new Set<unknown>()
  // Each job begins with a call of D1, before any makes a second one.
  for (const call of JOBS.map((_, index) => index + 1)) {
    // oxlint-disable-next-line no-await-in-loop -- one database
    await emptyVault()
    // oxlint-disable-next-line no-await-in-loop
    await seedWork()
    // oxlint-disable-next-line no-await-in-loop
    const [line] = await runWhileFails(call)
    expect(line).toMatchObject({ code: 'database_busy' })
    // oxlint-disable-next-line no-await-in-loop
    expect(await leftWork()).toEqual([line?.['event']])
    failed.add(line?.['event'])
  }
  expect(failed).toEqual(new Set(Object.keys(LEFT)))
})

it.for(JOBS)('%s logs why it cannot run, and fails: %s', async ([, event, job]) => {
  const logs = recordLogs()
  const misconfigured = { code: 'server_misconfigured' }
  for (const broken of [{ DB: env.EMPTY_DB }, { API_KEY_ENCRYPTION_KEY: 'x' }]) {
    // oxlint-disable-next-line no-await-in-loop -- the log has their order
    await expect(runJob(someVault(broken), job)).rejects.toMatchObject(misconfigured)
  }
  const messages = [/npm run schema/, /^API_KEY_ENCRYPTION_KEY/]
  expect(logs.events()).toEqual(
    messages.map((message) => ({
      level: 'error',
      event,
      code: 'server_misconfigured',
      error: expect.objectContaining({ message: expect.stringMatching(message) }),
    })),
  )
})
