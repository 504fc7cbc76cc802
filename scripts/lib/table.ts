/** Lays out words and numbers in columns, for a terminal. */

const NUMBER = /^[\d,]+$/

/** Pads each column to its widest cell. A column of numbers is aligned to the right, except the first. */
export function layOut(rows: readonly string[][]): string {
  const columns = (rows[0] ?? []).map((_, index) => {
    const cells = rows.map((row) => row[index] ?? '')
    const isOfNumbers = index > 0 && rows.length > 1 && cells.slice(1).every(isNumber)
    return { isOfNumbers, width: Math.max(...cells.map(({ length }) => length)) }
  })
  const pad = (cell: string, index: number) => {
    const { isOfNumbers = false, width = 0 } = columns[index] ?? {}
    return isOfNumbers ? cell.padStart(width) : cell.padEnd(width)
  }
  return rows.map((row) => `  ${row.map(pad).join('  ')}`.trimEnd()).join('\n')
}

function isNumber(cell: string): boolean {
  return NUMBER.test(cell)
}
