/** The tests that Stryker runs: those of one room, in workerd. `MUTATE_TESTS` names them. */

import { statSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { worker } from '../../vitest.config.ts'

const include = (process.env['MUTATE_TESTS'] ?? '').split(' ')

const sizeOf = ({ moduleId }: TestSpecification): number => statSync(moduleId).size

/** A mutant ends with the first test that fails, and a small file fails sooner. */
class SmallFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => sizeOf(one) - sizeOf(other))
  }
}

export default defineConfig({
  test: {
    silent: true,
    sequence: { sequencer: SmallFilesFirst },
    projects: [{ ...worker, test: { ...worker.test, include } }],
  },
})
