/** The short form of `npm run soak`. */

import { expect, it } from 'vitest'
import { soak } from './soak.ts'

it('a vault under mixed traffic gives each kind of request its answer', async () => {
  const { tallies, jobs } = await soak({ seconds: 3, connections: 8, seed: 1, onSecond: () => {} })
  const failed = [...tallies].filter(([, { faults, wrong }]) => faults + wrong > 0)
  expect(failed.map(([kind, { statuses }]) => [kind, [...statuses]])).toEqual([])
  expect(tallies.get('GET')?.statuses.get(200)).toBeGreaterThan(0)
  expect(jobs).toBeGreaterThan(0)
})
