/** The requests of `npm run soak`. */

import { describe, expect, it } from 'vitest'
import { randomOf } from '../../scripts/lib/random.ts'
import { createUser, draw, NAMES } from './traffic.ts'

describe('the requests of the soak test', () => {
  const secret = 'a-secret-for-the-soak-test-0123456789'
  const drawMany = async (seed: string) => {
    const user = await createUser('soak', secret)
    const random = randomOf(seed)
    return Array.from({ length: 300 }, () => {
      const { kind, path } = draw(user, random)
      return `${kind} ${path}`
    })
  }

  it('the requests of the soak test are the same for the same seed', async () => {
    expect(await drawMany('1')).toEqual(await drawMany('1'))
    expect(await drawMany('1')).not.toEqual(await drawMany('2'))
  })

  it('the requests of the soak test are of every kind', async () => {
    const drawn = await drawMany('1')
    const missing = NAMES.filter((name) => !drawn.some((line) => line.startsWith(`${name} `)))
    expect(missing).toEqual([])
  })
})
