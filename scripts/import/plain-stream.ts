/** Works on the lines of a stream, several at a time, and keeps none of them. */

import { formatCount } from '../lib/progress.ts'
import type { PlainLine } from './plain-lines.ts'
import type { Outcome } from './plain-send.ts'

/** How many lines are worked on at once. */
const IN_FLIGHT = 20
/** After so many lines in a row that the vault could not answer, it is down. */
const MAX_FAILED = 20
/** If the vault takes none of the first lines, something is wrong with all of them. */
const TRIED_LINES = 1_000

/** What is done with each line, and what ends it early. */
export interface Stream {
  work: (line: PlainLine) => Promise<Outcome>
  onOutcome: (line: PlainLine, outcome: Outcome) => void
  /** Ends it. What is in flight is finished first. */
  stop: AbortController
}

/**
 * Returns when all lines are done. Lines of one slot are worked on in their order.
 *
 * @returns the first line that is not done; null if all are
 */
export async function workThrough(
  lines: AsyncIterable<PlainLine>,
  { work, onOutcome, stop }: Stream,
): Promise<number | null> {
  const slots = new Map<string, Promise<unknown>>()
  const requireProgress = makeGuard()
  const open = new Set<number>()
  let last = 0

  async function finish(line: PlainLine): Promise<void> {
    last = Math.max(last, line.line)
    open.add(line.line)
    const outcome = await inTurn(slots, slotOf(line), async () => work(line))
    open.delete(line.line)
    onOutcome(line, outcome)
    requireProgress(outcome)
  }

  async function takeLines(): Promise<void> {
    for await (const line of lines) {
      // A pipe may stay silent: the stop must reach those that wait for their next line.
      await finish(line).catch((error: unknown) => stop.abort(error))
      if (stop.signal.aborted) return
    }
  }

  const takers = Array.from({ length: IN_FLIGHT }, async () =>
    takeLines().catch((error: unknown) => stop.abort(error)),
  )
  await Promise.all(takers)
  if (!stop.signal.aborted) return null
  return open.size > 0 ? Math.min(...open) : last + 1
}

function slotOf(line: PlainLine): string {
  return 'refused' in line ? `${line.line}` : `${line.userId}\0${line.provider}`
}

/** Does the work after that of the same slot, so that the first line counts. */
async function inTurn<T>(
  slots: Map<string, Promise<unknown>>,
  slot: string,
  work: () => Promise<T>,
): Promise<T> {
  const before = slots.get(slot)
  const mine = before === undefined ? work() : before.then(work, work)
  slots.set(slot, mine)
  try {
    return await mine
  } finally {
    if (slots.get(slot) === mine) slots.delete(slot)
  }
}

/** @returns a function that throws an Error after outcomes that no further line will better */
function makeGuard(): (outcome: Outcome) => void {
  let [count, refused, failedInRow] = [0, 0, 0]
  return ({ state }) => {
    count += 1
    if (state === 'refused') refused += 1
    failedInRow = state === 'failed' ? failedInRow + 1 : 0
    if (failedInRow === MAX_FAILED) throw new Error('The vault does not answer any more.')
    if (refused === TRIED_LINES && count === refused) {
      throw new Error(`None of the first ${formatCount(TRIED_LINES)} lines could be saved.`)
    }
  }
}
