/**
 * The tests that Stryker runs: those of one room, in workerd. `MUTATE_TESTS` names them. With `MUTATE_SHARED`, all of them
 * share one workerd.
 */

import { statSync } from 'node:fs'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { worker } from '../../vitest.config.ts'

const include = (process.env['MUTATE_TESTS'] ?? '').split(' ')

const sizeOf = ({ moduleId }: TestSpecification): number => statSync(moduleId).size

/**
 * For a mutant, all test files share one workerd, because starting one takes longer than most files. In the
 * first run, where Stryker measures what each file reaches, each file has its own.
 */
function shareWorkerd(files: TestSpecification[]): void {
  for (const { project } of files) {
    const provided = project.getProvidedContext()
    const isMutant = 'mode' in provided && provided.mode === 'mutant'
    project.config.isolate = !isMutant && process.env['MUTATE_SHARED'] === undefined
  }
}

/** A mutant ends with the first test that fails, and a small file fails sooner than a large one. */
class SmallFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    shareWorkerd(files)
    return files.toSorted((one, other) => sizeOf(one) - sizeOf(other))
  }
}

export default defineConfig({
  test: {
    silent: true,
    sequence: { sequencer: SmallFirst },
    projects: [{ ...worker, test: { ...worker.test, include } }],
  },
})
