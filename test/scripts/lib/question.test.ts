import { afterEach, expect, it } from 'vitest'
import { requireYes } from '../../../scripts/lib/question.ts'

const { isTTY } = process.stdin
afterEach(() => {
  process.stdin.isTTY = isTTY
})

it.for(['yes', ' YES '])('goes on if somebody types "%s"', async (typed) => {
  process.stdin.isTTY = true
  await expect(requireYes('Really?', false, async () => typed)).resolves.toBeUndefined()
})

it.for(['', 'y', 'no', 'yes!'])('does nothing if somebody types "%s"', async (typed) => {
  process.stdin.isTTY = true
  await expect(requireYes('Really?', false, async () => typed)).rejects.toThrow('Nothing was done.')
})

it('asks no program, which has to say it itself', async () => {
  process.stdin.isTTY = false
  const message = 'Really?\nAdd --yes if that is right.'
  await expect(requireYes('Really?', false)).rejects.toThrow(message)
  await expect(requireYes('Really?', true)).resolves.toBeUndefined()
})
