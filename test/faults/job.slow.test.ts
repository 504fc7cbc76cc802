/** Each call of D1, and the second store, fails in each way while the scheduled job runs. */

import { emptyVault, env } from '../isolate.ts'
import { describe, expect, it } from 'vitest'
import { VaultError } from '../../src/errors.ts'
import { runJobs } from '../../src/jobs.ts'
import { recordLogs } from '../support.ts'
import {
  breakableD1,
  expectSafe,
  fail,
  hang,
  someVault,
  useFakeTimers,
  type Break,
} from './fault.ts'
import { seedKeys } from './operations.ts'
import { rememberIdentities, stateOf } from './state.ts'

const overloaded: Break = async () => {
  throw new Error('D1_ERROR: D1 DB is overloaded.')
}
const WAYS: readonly [way: string, broken: Break, code: string][] = [
  ['throws an unknown error', fail, 'internal'],
  ['is overloaded', overloaded, 'database_busy'],
  ['hangs', hang, 'database_busy'],
]
const FAILED = new Set<unknown>([
  'rewrap_failed',
  'expiry_failed',
  'trail_not_trimmed',
  'deletions_not_copied',
  'recheck_failed',
])

/** A user with two keys, in a vault of its own. */
async function seedJob(): Promise<string> {
  // Otherwise the rewrap job would go on where the last run ended.
  await emptyVault()
  const userId = `job-${crypto.randomUUID()}`
  await seedKeys(userId)
  await rememberIdentities(userId)
  return userId
}

/** A user with a key that has expired, and one that stays. The trail still keeps events of that day. */
async function seedExpired(): Promise<string> {
  const userId = await seedJob()
  const sql = `UPDATE api_keys SET expires_at = date('now', '-40 days') || 'T00:00:00.000Z'
    WHERE user_id = ?1 AND provider = 'openai'`
  await env.DB.prepare(sql).bind(userId).run()
  return userId
}

/** A user whose two keys are one slot. The next run moves the one of the plain route. */
async function seedPlain(): Promise<string> {
  const userId = await seedJob()
  await runJobs(someVault(ASSIGNED))
  return userId
}

const ASSIGNED = { DEFAULT_PROVIDER: 'openai' }

/** Notes that a key has expired, and keeps it. */
const KEEPING = { EXPIRED_KEPT_DAYS: '60' }

type Work = [what: string, seed: () => Promise<string>, vars: object, first: object]

/** What there is for the job to do, and the variables with which it does only the first of its transactions. */
const WORK: readonly Work[] = [
  ['deletes an expired key', seedExpired, {}, KEEPING],
  ['moves a key', seedPlain, ASSIGNED, {}],
]

/** What D1 holds, apart from deletions that are to be copied: a later transaction forgets them. */
async function keptOf(userId: string) {
  const { gone: _, ...kept } = await stateOf(userId)
  return kept
}

/** What a run of an untouched job does, and how often it calls D1. */
async function measure(seed: () => Promise<string>, vars: object) {
  const userId = await seed()
  const { db, calls } = breakableD1()
  await runJobs(someVault({ ...vars, DB: db }))
  return { asked: await keptOf(userId), calls: calls() }
}

/** Runs the job while one call of D1 breaks, and once more when it does not. */
async function failAt(call: number, broken: Break, [, seed, vars]: Work) {
  const userId = await seed()
  const before = await keptOf(userId)
  const { db, breakCalls, mend } = breakableD1()
  const vault = someVault({ ...vars, DB: db })
  breakCalls(broken, call, call)
  const code = await runJobs(vault).then(
    () => null,
    (error: unknown) => VaultError.from(error).code,
  )
  mend()
  const state = await keptOf(userId)
  await runJobs(vault)
  return { before, code, state, next: await keptOf(userId) }
}

describe.for(WAYS)('D1 that %s', ([way, broken, code]) => {
  it.for(WORK)(
    `the job that %s fails in a part if D1 ${way} at any call, and the next run does the rest`,
    async (work) => {
      const [, seed, vars, first] = work
      const logs = recordLogs()
      useFakeTimers()
      const { asked: begun } = await measure(seed, first)
      const { asked, calls } = await measure(seed, vars)
      expect(calls).toBeGreaterThan(3)
      for (let call = 1; call <= calls; call += 1) {
        const { before, ...seen } = await failAt(call, broken, work)
        const state: unknown = expect.toBeOneOf([before, begun, asked])
        expect({ call, ...seen }).toEqual({ call, code, state, next: asked })
      }
      const failed = logs.events().filter(({ event }) => FAILED.has(event))
      // While one part hangs, the others may run out of time too.
      expect(failed.length).toBeGreaterThanOrEqual(calls)
      expectSafe(logs.text())
    },
  )
})

it('a second store that fails or hangs fails one part of the job, and the others are done', async () => {
  const logs = recordLogs()
  useFakeTimers()
  const { asked } = await measure(seedExpired, {})
  for (const exchange of [fail, hang]) {
    const userId = await seedExpired()
    const DELETIONS = { getByName: () => ({ exchange }) }
    await expect(runJobs(someVault({ DELETIONS }))).rejects.toMatchObject({ code: 'database_busy' })
    expect(await keptOf(userId)).toEqual(asked)
  }
  expect(logs.text()).toContain('deletions_not_copied')
})
