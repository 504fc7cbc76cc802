import type { ProblemLanguage } from '../../src/callers/browser.ts'

/** A module of the package, which the build makes. */
declare const language: ProblemLanguage
export default language
