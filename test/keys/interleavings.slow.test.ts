/** Many random interleavings of what happens to keys: a tenth of `FUZZ_CASES`, from the seed `FUZZ_SEED` on. */

import { beforeEach, expect, inject, it, vi } from 'vitest'
import { FUZZED } from '../fuzz/fuzz.ts'
import { recordLogs } from '../support.ts'
import { interleave } from './interleavings.ts'

/** A failure shows the steps of this many rounds. */
const SHOWN = 3

// No wait between two attempts.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0))

it('no key is lost or let loose by concurrent work in many random orders', FUZZED, async () => {
  recordLogs()
  const { cases, seed } = inject('fuzz')
  const failures: string[][] = []
  for (let round = 0; round < cases / 10 && failures.length < SHOWN; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- the rounds share a database
    const faults = await interleave(seed + round)
    if (faults.length > 0) failures.push(faults)
  }
  expect(failures).toEqual([])
})
