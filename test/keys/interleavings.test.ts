/** Random interleavings of what happens to keys. `interleavings.slow.test.ts` runs more of them. */

import { beforeEach, expect, it, vi } from 'vitest'
import { recordLogs } from '../support.ts'
import { interleave } from './interleavings.ts'

// No wait between two attempts.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0))

it.for(Array.from({ length: 5 }, (_, index) => index + 1))(
  'no key is lost or let loose by concurrent work: seed %i',
  async (seed) => {
    recordLogs()
    expect(await interleave(seed)).toEqual([])
  },
)
