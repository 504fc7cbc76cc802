/** Random orders of uses and a change. `at-hand-orders.slow.test.ts` plays more of them. */

import { beforeEach, expect, it } from 'vitest'
import { recordLogs } from '../support.ts'
import { holdTime, playOrder, someIsolates } from './at-hand-orders.ts'

beforeEach(holdTime)

it('no isolate uses a key after the bound, or after its own change, in 40 orders', async () => {
  recordLogs()
  const isolates = someIsolates()
  const played = []
  for (let seed = 1; seed <= 40; seed += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the stories share a clock
    played.push(await playOrder(seed, isolates))
  }
  expect(played.flatMap(({ faults }) => faults)).toEqual([])
  // Others do use it within the bound.
  expect(Math.max(...played.map(({ lastMs }) => lastMs))).toBeGreaterThan(0)
})
