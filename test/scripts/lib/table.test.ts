import { expect, it } from 'vitest'
import { layOut } from '../../../scripts/lib/table.ts'

it('numbers and their heading are aligned to the right, and words to the left', () => {
  const rows = [
    ['kid', 'keys', 'remark'],
    ['000000000001', '7', 'old'],
    ['2', '12,345', ''],
  ]
  expect(layOut(rows)).toBe(`  kid             keys  remark
  000000000001       7  old
  2             12,345`)
})

it('a column with a word in it is aligned to the left', () => {
  expect(
    layOut([
      ['', 'rows'],
      ['a', '7'],
      ['b', 'none'],
    ]),
  ).toBe('     rows\n  a  7\n  b  none')
})

it('one row, or none, has no heading', () => {
  expect(layOut([['a', '7']])).toBe('  a  7')
  expect(layOut([])).toBe('')
})
