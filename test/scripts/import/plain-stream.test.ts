import { expect, it } from 'vitest'
import type { PlainLine } from '../../../scripts/import/plain-lines.ts'
import type { Outcome } from '../../../scripts/import/plain-send.ts'
import { workThrough } from '../../../scripts/import/plain-stream.ts'

const SAVED = { state: 'saved', isUserAdded: false } as const
const FAILED = { state: 'failed', reason: 'got no answer', isUserAdded: false } as const
const REFUSED = { state: 'refused', reason: 'has no id', isUserAdded: false } as const

/** Works on `count` lines. `userOf` names the user of a line. */
async function workOn(
  count: number,
  work: (line: PlainLine, stop: AbortController) => Promise<Outcome>,
  userOf = (line: number) => `${line}`,
) {
  const stop = new AbortController()
  const seen = { pulled: 0, done: 0, mostOpen: 0, outcomes: 0 }
  async function* lines(): AsyncGenerator<PlainLine> {
    for (let line = 1; line <= count; line += 1) {
      seen.pulled = line
      seen.mostOpen = Math.max(seen.mostOpen, line - seen.done)
      yield { line, userId: userOf(line), provider: 'default', key: 'sk-1' }
    }
  }
  const firstOpen = await workThrough(lines(), {
    work: async (line) => work(line, stop).finally(() => (seen.done += 1)),
    onOutcome: () => (seen.outcomes += 1),
    stop,
  })
  const reason: unknown = stop.signal.reason
  return { firstOpen, message: reason instanceof Error ? reason.message : null, ...seen }
}

const soon = async () => new Promise<void>((resolve) => setImmediate(resolve))

it('20 lines are in flight, and no further one is read', async () => {
  const result = await workOn(10_000, async () => {
    await soon()
    return SAVED
  })
  expect(result).toMatchObject({ firstOpen: null, message: null, outcomes: 10_000, mostOpen: 20 })
})

it('lines of one slot are worked on in their order, and beside the others', async () => {
  const order: number[] = []
  await workOn(
    60,
    async ({ line }) => {
      for (let turn = line % 7; turn > 0; turn -= 1) await soon()
      order.push(line)
      return SAVED
    },
    (line) => (line % 3 === 0 ? 'same' : `${line}`),
  )
  const same = order.filter((line) => line % 3 === 0)
  expect(order).toHaveLength(60)
  expect(same).toEqual(same.toSorted((one, other) => one - other))
  expect(order).not.toEqual(order.toSorted((one, other) => one - other))
})

it('an error ends it after what is in flight, and names the first line that is not done', async () => {
  const result = await workOn(1_000, async ({ line }) => {
    if (line === 51) throw new Error('The token has expired.')
    await soon()
    return SAVED
  })
  expect(result).toMatchObject({ firstOpen: 51, message: 'The token has expired.' })
  expect(result.pulled).toBeLessThan(100)
  expect(result.outcomes).toBe(result.pulled - 1)
})

it('a stop from outside names the line after the last one', async () => {
  const result = await workOn(3, async ({ line }, stop) => {
    if (line === 3) stop.abort(new Error('It was interrupted.'))
    return SAVED
  })
  expect(result).toMatchObject({ firstOpen: 4, message: 'It was interrupted.', outcomes: 3 })
})

it('a vault that is down ends it after 20 lines in a row', async () => {
  const result = await workOn(1_000, async ({ line }) => (line < 100 ? SAVED : FAILED))
  expect(result.message).toBe('The vault does not answer any more.')
  expect(result.pulled).toBeLessThan(200)
})

it('lines that fail now and then end nothing', async () => {
  const result = await workOn(1_000, async ({ line }) => (line % 10 === 0 ? SAVED : FAILED))
  expect(result).toMatchObject({ firstOpen: null, outcomes: 1_000 })
})

it.for([
  ['all of the first lines', 0, 'None of the first 1,000 lines could be saved.'],
  ['all but one of the first lines', 1, null],
] as const)('refusals of %s end it, or not', async ([, saved, message]) => {
  const result = await workOn(3_000, async ({ line }) => (line <= saved ? SAVED : REFUSED))
  expect(result.message).toBe(message)
})
