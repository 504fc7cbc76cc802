/** The short form of `npm run soak`. */

import { expect, it } from 'vitest'
import { soak } from './soak.ts'

const SHORT = { seconds: 3, connections: 8, seed: 1, onSecond: () => {} }

it('a vault under mixed traffic gives each kind of request its answer', async () => {
  const { tallies, jobs } = await soak(SHORT)
  const failed = [...tallies].filter(([, { faults, wrong }]) => faults + wrong > 0)
  expect(failed.map(([kind, { statuses }]) => [kind, [...statuses]])).toEqual([])
  expect(tallies.get('GET')?.statuses.get(200)).toBeGreaterThan(0)
  expect(jobs).toBeGreaterThan(0)
})

it('the heap of a vault with many owners is counted by constructor', async () => {
  const { tallies, objects } = await soak({ ...SHORT, owners: 500, measuresHeap: true })
  expect([...tallies.values()].filter(({ faults, wrong }) => faults + wrong > 0)).toEqual([])
  // A key for each owner that was used.
  expect(objects[0]?.get('workerd / CryptoKey')?.count).toBeGreaterThan(10)
})

it('the Worker to compare with answers each request', async () => {
  const { tallies } = await soak({ ...SHORT, owners: 500, isBare: true })
  expect([...tallies.values()].filter(({ faults }) => faults > 0)).toEqual([])
})
