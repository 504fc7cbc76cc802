/**
 * Vitest's global setup for the tests with random cases: `FUZZ_CASES` and `FUZZ_SEED`. Without both, each run tries the
 * same cases. With `FUZZ_CASES` alone, each run tries new ones.
 */

import { randomInt } from 'node:crypto'
import type { TestProject } from 'vitest/node'

export default function setup(project: TestProject): void {
  const { FUZZ_CASES, FUZZ_SEED } = process.env
  const seed = FUZZ_CASES === undefined ? 1 : randomInt(2 ** 31)
  project.provide('fuzz', { cases: Number(FUZZ_CASES ?? 1000), seed: Number(FUZZ_SEED ?? seed) })
}
