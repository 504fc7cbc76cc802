import { afterEach, expect, it, vi } from 'vitest'
import { requireYes } from '../../../scripts/lib/question.ts'

/** What somebody types at the terminal. */
let typed = ''
vi.mock('node:readline/promises', () => ({
  createInterface: () => ({ question: async () => typed, close: () => {} }),
}))

const { isTTY } = process.stdin
afterEach(() => {
  process.stdin.isTTY = isTTY
})

it.for(['yes', ' YES '])('goes on if somebody types "%s"', async (text) => {
  process.stdin.isTTY = true
  typed = text
  await expect(requireYes('Really?', false)).resolves.toBeUndefined()
})

it.for(['', 'y', 'no', 'yes!'])('does nothing if somebody types "%s"', async (text) => {
  process.stdin.isTTY = true
  typed = text
  await expect(requireYes('Really?', false)).rejects.toThrow('Nothing was done.')
})

it('asks no program, which has to say it itself', async () => {
  process.stdin.isTTY = false
  const message = 'Really?\nAdd --confirm if that is right.'
  await expect(requireYes('Really?', false)).rejects.toThrow(message)
  await expect(requireYes('Really?', true)).resolves.toBeUndefined()
})
