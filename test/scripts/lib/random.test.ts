import { expect, it } from 'vitest'
import { randomOf } from '../../../scripts/lib/random.ts'

const draw = (seed: number | string) => {
  const random = randomOf(seed)
  return Array.from({ length: 100 }, () => random())
}

it('draws the same numbers from 0 to 1 for the same seed, and others for another seed', () => {
  const numbers = draw(1)
  expect(draw(1)).toEqual(numbers)
  expect(draw(2)).not.toEqual(numbers)
  expect(new Set(numbers).size).toBe(100)
  expect(numbers.filter((number) => number < 0 || number >= 1)).toEqual([])
})
