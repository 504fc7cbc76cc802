/** Stryker's runner for Vitest, which runs all tests of a file if one of them reaches a mutant. */

import type { CoverageData } from '@stryker-mutator/api/core'
import {
  commonTokens,
  declareFactoryPlugin,
  PluginKind,
  tokens,
  type Injector,
  type PluginContext,
} from '@stryker-mutator/api/plugin'
import {
  DryRunStatus,
  MutantRunStatus,
  type CompleteDryRunResult,
  type MutantRunResult,
  type TestRunner,
} from '@stryker-mutator/api/test-runner'
import { strykerPlugins as vitestPlugins } from '@stryker-mutator/vitest-runner'

/**
 * The tests of a file share an isolate, and what the Worker keeps in it: its service, keys and tokens. So
 * the first test runs code whose result the later ones see.
 */
function shareCoverage(result: CompleteDryRunResult): CompleteDryRunResult {
  const { tests, mutantCoverage } = result
  if (mutantCoverage === undefined) throw new Error('Vitest reported no coverage')
  const files = new Map<string | undefined, CoverageData>()
  for (const { id, fileName } of tests) {
    files.set(fileName, { ...files.get(fileName), ...mutantCoverage.perTest[id] })
  }
  const perTest = Object.fromEntries(
    tests.map(({ id, fileName }) => [id, files.get(fileName) ?? {}]),
  )
  return { ...result, mutantCoverage: { ...mutantCoverage, perTest } }
}

/**
 * The files of `tests`, each as a test without a name, which stands for all tests of the file. For names,
 * Vitest would compare each test with one pattern of all of them, which takes seconds.
 */
function wholeFiles(tests: readonly string[]): string[] {
  return [...new Set(tests.map((id) => id.replace(/#.*$/su, '#')))]
}

/** How many files are tried before all others. */
const LIKELY_FILES = 3

/**
 * Runs the files for a mutant: first those that noticed the last mutants, since they often notice the next one
 * too. They run without the others, because Vitest loads all files of a run even after a failure.
 */
class LikelyFilesFirst {
  /** The latest comes first. */
  #noticed: string[] = []

  /** An empty `files` means all files: the changed code runs when a module loads. */
  async run(
    files: string[],
    run: (files: string[]) => Promise<MutantRunResult>,
  ): Promise<MutantRunResult> {
    const areAll = files.length === 0
    const recent = this.#noticed.slice(0, LIKELY_FILES)
    const likely = areAll ? recent : recent.filter((file) => files.includes(file))
    const others = files.filter((file) => !likely.includes(file))
    const isSplit = likely.length > 0 && (areAll || others.length > 0)
    const first = isSplit ? await run(likely) : null
    if (first !== null && first.status !== MutantRunStatus.Survived) return this.#note(first)
    return this.#note(await run(isSplit ? others : files))
  }

  #note(result: MutantRunResult): MutantRunResult {
    const noticed = result.status === MutantRunStatus.Killed ? wholeFiles(result.killedBy) : []
    this.#noticed = [...new Set([...noticed, ...this.#noticed])]
    return result
  }
}

function createTestRunner(injector: Injector<PluginContext>): TestRunner {
  const [vitest] = vitestPlugins
  if (vitest === undefined) throw new Error('@stryker-mutator/vitest-runner has no plugin')
  const runner = injector.injectFunction(vitest.factory)
  const order = new LikelyFilesFirst()
  return {
    capabilities: () => runner.capabilities(),
    init: async () => runner.init?.(),
    dryRun: async (options) => {
      const result = await runner.dryRun(options)
      return result.status === DryRunStatus.Complete ? shareCoverage(result) : result
    },
    mutantRun: async ({ testFilter = [], ...options }) =>
      order.run(wholeFiles(testFilter), async (files) =>
        runner.mutantRun({ ...options, testFilter: files }),
      ),
    dispose: async () => runner.dispose?.(),
  }
}
createTestRunner.inject = tokens(commonTokens.injector)

export const strykerPlugins = [
  declareFactoryPlugin(PluginKind.TestRunner, 'vitest-files', createTestRunner),
]
