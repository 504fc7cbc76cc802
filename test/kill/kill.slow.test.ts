/** The short form of `npm run kill`. */

import { expect, it } from 'vitest'
import { killRepeatedly } from './rounds.ts'

it('a vault that is killed loses no acknowledged change', async () => {
  const { kills, acknowledged, limited, imports, jobs, wrong } = await killRepeatedly(3, 1)
  expect({ kills, wrong }).toEqual({ kills: 3, wrong: [] })
  expect(acknowledged).toBeGreaterThanOrEqual(3)
  expect(limited).toBeGreaterThan(0)
  expect(imports).toBeGreaterThan(0)
  expect(jobs).toBeGreaterThan(0)
})
