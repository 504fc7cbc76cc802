/** What a check of `npm run doctor` has found, and how it is printed. */

import { Advised } from '../lib/advice.ts'
import { VaultError } from '../../src/errors.ts'

/** What is known after a check. */
export interface Outcome {
  state: 'ok' | 'wrong' | 'not checked'
  why: string
  /** What to do if it is wrong; null if `why` says it. */
  fix: string | null
}

/** An outcome with the name of its check. */
export type Finding = Outcome & { check: string }

export const ok = (why: string): Outcome => ({ state: 'ok', why, fix: null })
export const skipped = (why: string): Outcome => ({ state: 'not checked', why, fix: null })
export const wrong = (why: string, fix: string | null = null): Outcome => {
  return { state: 'wrong', why, fix }
}

/** What an error says of the check that it ended. A VaultError's cause has the Worker's own sentence. */
export function failed(error: unknown, fix: string | null = null): Outcome {
  if (error instanceof Advised) return wrong(error.reason, error.advice)
  const cause = error instanceof VaultError && error.cause instanceof Error ? error.cause : error
  return wrong(cause instanceof Error ? describeError(cause) : String(cause), fix)
}

/** The message, with that of the cause: fetch says only there why it failed. */
function describeError({ message, cause }: Error): string {
  const [first = ''] = message.split('\n')
  if (!(cause instanceof Error)) return first
  const { code } = Object.assign({ code: undefined }, cause)
  return `${first} (${code ?? cause.message})`
}

/** The findings for a terminal: a line for each, and a line for what to do. */
export function describe(findings: readonly Finding[]): string {
  return findings.flatMap(describeFinding).join('\n')
}

const INDENT = ''.padEnd(30)

function describeFinding({ check, state, why, fix }: Finding): string[] {
  const line = `${state.padEnd(11)}  ${check.padEnd(17)}${why}`
  return fix === null ? [line] : [line, `${INDENT}${fix}`]
}
