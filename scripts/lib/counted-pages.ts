/** Counts all keys in pages, so that no statement takes longer than D1's 30 s. */

import { COUNTED_ROWS, selectNthRowAfter, START, type Cursor } from '../../src/store/all-keys.ts'
import { BULK_DEADLINE_MS, run, type Statement } from '../../src/store/d1.ts'

/** How the keys are counted. */
export interface Pages {
  /** It is called after each full page with the number of rows that are counted. */
  counted?: (rows: number) => void
  /** How many rows a page has. */
  pageRows?: number
}

/** Returns the counts of all pages. `countAfter` counts the next rows after a position, at most `limit`. */
export async function countInPages<Count extends { rows: number }>(
  db: D1Database,
  countAfter: (after: Cursor, limit: number) => Statement<Count>,
  { counted = () => {}, pageRows = COUNTED_ROWS }: Pages = {},
): Promise<Count[]> {
  const counts: Count[] = []
  let total = 0
  for (let after: Cursor | undefined = START; after !== undefined;) {
    // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
    const page: Page<Count> = await readPage(
      db,
      countAfter(after, pageRows),
      selectNthRowAfter(after, pageRows),
    )
    counts.push(...page.counts)
    total += page.counts.reduce((sum, { rows }) => sum + rows, 0)
    if (page.last !== undefined) counted(total)
    after = page.last
  }
  return counts
}

/** `last` is the last row of a page that is full. */
interface Page<Count> {
  counts: Count[]
  last: Cursor | undefined
}

async function readPage<Count>(
  db: D1Database,
  count: Statement<Count>,
  selectLast: Statement<Cursor>,
): Promise<Page<Count>> {
  const counts = await run(db, count, BULK_DEADLINE_MS)
  const last = await run(db, selectLast, BULK_DEADLINE_MS)
  return { counts: counts.results, last: last.results[0] }
}
