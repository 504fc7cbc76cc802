/** Tells which mutants no test noticed, and whether `survivors.json` explains each. */

import type { Mutant } from './room.ts'

/** A survivor that does no harm, with the reason. */
export interface Explained {
  file: string
  code: string
  change: string
  why: string
}

export interface Verdict {
  /** The survivors, with their explanation if there is one. */
  survivors: { mutant: Mutant; why: string | null }[]
  /** What is explained, but is not a survivor any more. */
  stale: Explained[]
}

const SURVIVED = new Set(['Survived', 'NoCoverage'])

/** Compares the mutants of `path` with the explanations. Those of other files do not matter. */
export function judge(path: string, mutants: Mutant[], explained: readonly Explained[]): Verdict {
  const alive = mutants.filter(({ status }) => SURVIVED.has(status))
  return {
    survivors: alive.map((mutant) => ({
      mutant,
      why: explained.find((entry) => isSame(entry, mutant))?.why ?? null,
    })),
    stale: explained.filter(
      (entry) => isIn(path, entry.file) && !mutants.some((mutant) => isUnnoticed(entry, mutant)),
    ),
  }
}

function isIn(path: string, file: string): boolean {
  return file === path || file.startsWith(`${path}/`)
}

/** Whether the mutant is the one of `entry`, and no test failed. It may have timed out, or broken the test runner. */
function isUnnoticed(entry: Explained, mutant: Mutant): boolean {
  return isSame(entry, mutant) && mutant.status !== 'Killed'
}

/** The line may move, so its text and the change name a mutant. */
function isSame(entry: Explained, mutant: Mutant): boolean {
  const { file, code, change } = mutant
  return entry.file === file && entry.code === code && entry.change === change
}
