/** The languages of `describeProblem`: what the languages of the element say of problems, as modules. */

import { readFileSync } from 'node:fs'
import { PROBLEM_TEXTS } from '../../src/callers/browser/texts.ts'
import { LANGUAGES, TRANSLATED } from './element.ts'

/** The types of each module, in `build/callers/`. */
export const LANGUAGE_TYPES = `import type { ProblemLanguage } from './browser.ts'
declare const language: ProblemLanguage
export default language
`

/** Returns the modules by the names of their languages. */
export function packProblems(): Map<string, string> {
  return new Map(TRANSLATED.map((tag) => [tag, packProblemsIn(tag)]))
}

function packProblemsIn(tag: string): string {
  const all: unknown = JSON.parse(readFileSync(`${LANGUAGES}/${tag}.json`, 'utf8'))
  const texts = Object.entries(Object(all)).filter(([name]) => name in PROBLEM_TEXTS)
  return `export default ${JSON.stringify({ tag, texts: Object.fromEntries(texts) })}\n`
}
