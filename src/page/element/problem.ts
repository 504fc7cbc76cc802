/** The text of a problem with the slot that was being worked on. */

import { sayProblem } from '../../callers/browser/problem-text.ts'
import type { Problem } from '../../callers/browser/problem.ts'
import type { ErrorDetail } from './host.ts'
import type { Language } from './language.ts'
import { nameProvider, type ShownSlot } from './slot.ts'

export { Problem } from '../../callers/browser/problem.ts'

/** The problem as a person reads it. */
export function describeProblem(problem: Problem, language: Language, slot?: ShownSlot): string {
  return sayProblem(problem, language, slot, slot && nameProvider(slot, language.say))
}

/** The problem as the host application hears it. */
export function detailProblem(problem: Problem, language: Language, slot?: ShownSlot): ErrorDetail {
  const { code, detail, requestId } = problem
  return { code, message: describeProblem(problem, language, slot), detail, requestId }
}
