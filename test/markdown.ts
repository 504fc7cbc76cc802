/** Reads tables of Markdown. */

/** The cells of each row of the tables under a heading, until the next heading. @throws Error if there is no such heading */
export function rowsUnder(page: string, heading: string): string[][] {
  const sections = page.split(/^(?=##+ )/m)
  const section = sections.find((text) => text.startsWith(`${heading}\n`))
  if (section === undefined) throw new Error(`There is no heading ${heading}`)
  const rows = section.split('\n').filter((line) => line.startsWith('| '))
  return rows.slice(2).map((row) => row.split(' | ').map((cell) => cell.replace(/^\| /, '').trim()))
}

/** The names in code in a cell. */
export function namesIn(cell = ''): string[] {
  return Array.from(cell.matchAll(/`([^`]+)`/g), ([, name = '']) => name)
}
