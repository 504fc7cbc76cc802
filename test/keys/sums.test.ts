import { env } from 'cloudflare:workers'
import { expect, it, onTestFinished, vi } from 'vitest'
import { countEvent } from '../../src/keys/sums.ts'
import { openService } from '../../src/service.ts'
import { interceptD1, someUser } from '../support.ts'

/** How many sums an isolate writes at once in an hour, and how many it collects. */
const MAX_KEPT = 2_000

it('an isolate writes and collects a limited number of sums', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: Date.now() })
  onTestFinished(() => void vi.useRealTimers())
  let writes = 0
  const DB = interceptD1(async (trip) => {
    writes += 1
    return trip()
  })
  const service = await openService({ ...env, DB })
  const userId = await someUser()
  const works: Promise<void>[] = []
  const count = (index: number) => {
    const use = { userId, provider: 'openai', event: 'used', code: null, errors: 0 } as const
    countEvent(service, (work) => void works.push(work), { ...use, caller: `caller-${index}` })
  }
  const stored = async () =>
    env.DB.prepare('SELECT count(*) FROM api_key_events WHERE user_id = ?1')
      .bind(userId)
      .first<number>('count(*)')

  for (let index = 0; index < MAX_KEPT; index += 1) count(index)
  await Promise.all(works)
  expect([writes, await stored()]).toEqual([MAX_KEPT, MAX_KEPT])
  for (let index = MAX_KEPT; index < 2 * MAX_KEPT + 1; index += 1) count(index)
  // The one that is over the limit is lost. One that is known is still counted.
  count(MAX_KEPT)
  expect(writes).toBe(MAX_KEPT)
  await vi.advanceTimersByTimeAsync(20_000)
  await Promise.all(works)
  expect([writes, await stored()]).toEqual([MAX_KEPT + 1, 2 * MAX_KEPT])
  const twice = "SELECT count FROM api_key_events WHERE user_id = ?1 AND caller = 'caller-2000'"
  expect(await env.DB.prepare(twice).bind(userId).first('count')).toBe(2)
})
