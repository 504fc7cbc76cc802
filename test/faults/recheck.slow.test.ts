/** Each call of D1 fails in each way while the job checks idle keys. */

import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { runJob } from '../../src/jobs.ts'
import {
  answerProbes,
  clearKeys,
  DAY_MS,
  eventsOf,
  recheckingVault,
  stateOf,
  storeIdle,
} from '../keys/idle-keys.ts'
import { recordLogs } from '../support.ts'
import { breakableD1, expectSafe, fail, hang, type Break } from './fault.ts'

const late =
  (how: Break): Break =>
  async (trip) => {
    await trip().catch(() => null)
    return how(trip)
  }

const WAYS: readonly [way: string, broken: Break][] = [
  ['loses the request', fail],
  ['loses the answer', late(fail)],
  ['hangs', hang],
  ['hangs afterwards', late(hang)],
]

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] }))
afterEach(() => vi.useRealTimers())

/** Two idle keys of two users: the provider accepts one of them, and rejects the other one. */
async function seedKeys(): Promise<string[]> {
  await clearKeys()
  await storeIdle([{ text: 'good' }, { text: 'bad' }])
  const status = (key: string) => (key === 'bad' ? 401 : 200)
  return answerProbes((key) => new Response('{}', { status: status(key) }))
}

/** The calls of D1 of a run in which nothing fails. */
async function countCalls(): Promise<number> {
  await seedKeys()
  const { db, calls } = breakableD1()
  await runJob(recheckingVault({ DB: db }), 'recheck')
  return calls()
}

it.for(WAYS)(
  'a run that fails because D1 %s, at any call, asks about no key twice in a day, and loses none',
  async ([, broken]) => {
    const logs = recordLogs()
    const calls = await countCalls()
    expect(calls).toBeGreaterThan(5)
    for (let call = 1; call <= calls; call += 1) {
      // oxlint-disable no-await-in-loop -- one database
      const asked = await seedKeys()
      const { db, breakCalls, mend } = breakableD1()
      const messages: object[] = []
      const sendBatch = async (sent: object[]) => void messages.push(...sent)
      const vault = recheckingVault({ DB: db, EVENTS_QUEUE: { send: null, sendBatch } })
      breakCalls(broken, call, call)
      await expect(runJob(vault, 'recheck')).rejects.toHaveProperty('message')
      mend()
      await runJob(vault, 'recheck')
      expect(new Set(asked).size).toBe(asked.length)
      for (let day = 0; day < 2; day += 1) {
        vi.setSystemTime(Date.now() + DAY_MS)
        await runJob(vault, 'recheck')
      }
      const checkedAt = expect.any(String)
      const [good, bad] = await Promise.all(['of good', 'of bad'].map(stateOf))
      expect({ call, good, bad }).toMatchObject({
        good: { status: 'active', checkedAt },
        bad: { status: 'rejected', checkedAt },
      })
      expect(await eventsOf('of bad')).toMatchObject([{ event: 'rechecked', verdict: 'refused' }])
      expect(await eventsOf('of good')).toEqual([])
      expect(messages.length).toBeLessThanOrEqual(1)
      expect(asked.length).toBeLessThanOrEqual(4)
      // oxlint-enable no-await-in-loop
    }
    const failed = logs.events().filter(({ event }) => event === 'recheck_failed')
    expect(failed).toHaveLength(calls)
    expectSafe(logs.text())
  },
)
