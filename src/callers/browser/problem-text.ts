/** The text of a problem, as a person reads it. */

import type { KeyReason } from '../../shared/key-text.ts'
import { isExtra } from '../../shared/pasted-text.ts'
import { nameText, type Problem } from './problem.ts'
import { gapAfter, isProblemText, type ProblemText, type Values } from './texts.ts'

/** A language, as far as problems need it. */
export interface Speech {
  say: (name: ProblemText, values?: Values) => string
  /** `A, B or C`. */
  list: (words: readonly string[]) => string
}

/** The slot that was being worked on. */
export interface Subject {
  /** Where a base URL may be. */
  hosts: readonly string[] | null
  /** The key in the slot; null if it is empty. A refused key does not replace it. */
  key: unknown
}

/**
 * The problem as a person reads it, without the time of another attempt. `provider` is what the provider of the slot is
 * called.
 */
export function sayProblem(
  { code, reason, index }: Problem,
  { say, list }: Speech,
  slot?: Subject,
  provider = '',
): string {
  if (reason !== undefined) return sayReason({ reason, index }, say)
  const text = say(nameText(code) ?? 'fault', { provider, hosts: list(slot?.hosts ?? []) })
  if (code === 'api_key_rejected' && slot?.key) return text + gapAfter(text) + say('keyKept')
  return text
}

/** Why a text is not a key, as a person reads it. `index` is in code points, from 0. */
export function sayReason(
  { reason, index = 0 }: { reason: KeyReason; index?: number | undefined },
  say: Speech['say'],
): string {
  // Other reasons, and those of a newer service, have one text.
  const name = isExtra(reason) ? 'key_extras' : `key_${reason === 'control' ? 'non_ascii' : reason}`
  return say(isProblemText(name) ? name : 'api_key_invalid', { position: index + 1 })
}
