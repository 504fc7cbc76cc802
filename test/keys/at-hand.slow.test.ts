/** Many random orders of uses and a change: half of `FUZZ_CASES`, from the seed `FUZZ_SEED` on. */

import { beforeEach, expect, inject, it } from 'vitest'
import { FUZZED } from '../fuzz/fuzz.ts'
import { recordLogs } from '../support.ts'
import { holdTime, playOrder, someIsolates } from './at-hand-orders.ts'

/** A failure shows the steps of this many orders. */
const SHOWN = 3

beforeEach(holdTime)

it(
  'no isolate uses a key after the bound, or after its own change, in many orders',
  FUZZED,
  async () => {
    recordLogs()
    const { cases, seed } = inject('fuzz')
    const isolates = someIsolates()
    const failures: string[][] = []
    for (let order = 0; order < cases / 2 && failures.length < SHOWN; order += 1) {
      // oxlint-disable-next-line no-await-in-loop -- the stories share a clock
      const { faults } = await playOrder(seed + order, isolates)
      if (faults.length > 0) failures.push(faults)
    }
    expect(failures).toEqual([])
  },
)
