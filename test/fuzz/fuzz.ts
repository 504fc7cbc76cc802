/** What the fuzz tests share: how many cases they try, from which seed, and what nothing may show. */

import * as fc from 'fast-check'
import { expect, inject } from 'vitest'

/** In hostile input, and in no answer. */
export const MARK = 'Zq7Xw9Kp3Vt5'

/** A line of a stack, a source file, or an error that only the code can have. */
const TRACE = /\bat .*:\d+:\d+|\.ts\b|D1_ERROR|SQLITE|TypeError/

/** `npm run fuzz` takes long. */
export const FUZZED = { timeout: 1_800_000 }

const { seed, cases } = inject('fuzz')

/**
 * Fails the test if the property does not hold for every case. A failure prints the seed, and `FUZZ_SEED` repeats
 * it. If a case is expensive, `share` is the part of the cases that is tried.
 */
export async function expectAlways<T>(property: fc.IAsyncProperty<T>, share = 1): Promise<void> {
  const numRuns = Math.ceil(cases * share)
  await fc.assert(property, { numRuns, seed })
}

/** As many values as there are cases, for a test that takes all of them at once. */
export function someCases<T>(values: fc.Arbitrary<T>): T[] {
  console.log(`FUZZ_SEED=${seed}`)
  return fc.sample(values, { numRuns: cases, seed })
}

/** Fails the test if `shown` repeats what was sent, shows how the code failed, or holds one of `secrets`. */
export function expectQuiet(shown: string, ...secrets: string[]): void {
  for (const secret of [MARK, ...secrets]) expect(shown).not.toContain(secret)
  expect(shown).not.toMatch(TRACE)
}
