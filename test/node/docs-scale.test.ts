/** The figures of docs/scale.md that follow from others of the page. */

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { rowsUnder } from '../markdown.ts'

const PLAN = 5
const ROWS = rowsUnder(
  readFileSync('docs/scale.md', 'utf8'),
  '## What a million users cost in a month',
)

/** The dollars of the cells of the row that begins so, each cell as the sum of what it has. */
function dollars(row: string): number[] {
  const [, ...cells] = ROWS.find(([name = '']) => name.startsWith(row)) ?? []
  return cells.map((cell) => {
    const amounts = Array.from(cell.matchAll(/\$([\d,.]*\d)/g), ([, amount = '']) => amount)
    return amounts.reduce((sum, amount) => sum + Number(amount.replaceAll(',', '')), 0)
  })
}

it('the bill of a million users is the sum of its parts', () => {
  const parts = ['requests: ', 'CPU ms: ', 'rows read', 'rows written', 'storage: '].map(dollars)
  const sums = [0, 1, 2].map((size) =>
    parts.reduce((sum, part) => sum + (part[size] ?? Number.NaN), PLAN),
  )
  expect(sums.map(Math.round)).toEqual(dollars('**without logs'))
  const logs = dollars('logs: ')
  expect(sums.map((sum, size) => Math.round(sum + (logs[size] ?? Number.NaN)))).toEqual(
    dollars('**with logs'),
  )
})

it('the requests of everyday users cost what the page says', () => {
  const [, everyday] = dollars('requests: ')
  const requests = 2 * (6 + 0.3 + 0.05) + 0.04
  expect(everyday).toBeCloseTo((requests - 10) * 0.3, 2)
})
