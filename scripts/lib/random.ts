/** Random numbers that a seed repeats. */

import { createHash } from 'node:crypto'

/** Numbers from 0 to 1, the same for the same seed. */
export function randomOf(seed: number | string): () => number {
  let drawn = 0
  return () => {
    drawn += 1
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE() / 2 ** 32
  }
}
