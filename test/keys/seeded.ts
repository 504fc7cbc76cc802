/** Random choices that a seed repeats, and an order of concurrent work that they decide. */

/** Random choices. */
export interface Choices {
  /** A number from 0, below 1. */
  next: () => number
  /** Whether something happens that has this probability. */
  maybe: (probability: number) => boolean
  pick: <T>(options: readonly [T, ...T[]]) => T
}

/** The generator is mulberry32. */
export function choicesOf(seed: number): Choices {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    maybe: (probability) => next() < probability,
    pick: ([first, ...rest]) => [first, ...rest][Math.floor(next() * (rest.length + 1))] ?? first,
  }
}

/** Lets one piece of waiting work go on at a time: a random one. */
export interface Turns {
  /** Does the work when it gets its turn. */
  inTurn: <T>(work: () => Promise<T>) => Promise<T>
  /** Gives turns until all `runs` have ended. */
  give: (runs: readonly Promise<unknown>[]) => Promise<void>
}

export function takeTurns({ next }: Choices): Turns {
  const waiting: (() => Promise<unknown>)[] = []
  return {
    inTurn: async <T>(work: () => Promise<T>) =>
      new Promise<T>((resolve, reject) => {
        waiting.push(async () => work().then(resolve, reject))
      }),
    give: async (runs) => {
      const progress = { hasEnded: false }
      void Promise.allSettled(runs).then(() => (progress.hasEnded = true))
      while (!progress.hasEnded) {
        // oxlint-disable-next-line no-await-in-loop -- meanwhile everything runs up to where it waits for a turn
        await new Promise((resolve) => setTimeout(resolve, 0))
        const [chosen] = waiting.splice(Math.floor(next() * waiting.length), 1)
        // oxlint-disable-next-line no-await-in-loop -- one turn after the other
        await chosen?.()
      }
    },
  }
}
