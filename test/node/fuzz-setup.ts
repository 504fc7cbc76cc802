/** Vitest's global setup for the fuzz tests: `FUZZ_CASES` and `FUZZ_SEED`. */

import type { TestProject } from 'vitest/node'

export default function setup(project: TestProject): void {
  const { FUZZ_CASES = '1000', FUZZ_SEED } = process.env
  const seed = FUZZ_SEED === undefined ? null : Number(FUZZ_SEED)
  project.provide('fuzz', { cases: Number(FUZZ_CASES), seed })
}
