/** A client of the vault for browsers: what `<api-key-settings>` does, for a screen of your own. */

import { sayDuration } from './browser/duration.ts'
import { sayProblem, type Speech } from './browser/problem-text.ts'
import { Problem } from './browser/problem.ts'
import { fillText, gapAfter, PROBLEM_TEXTS, type ProblemText } from './browser/texts.ts'
import { splitSlot } from '../shared/slot.ts'

export { createVaultClient, etagOf, type ClientOptions } from './browser/client.ts'
export type {
  ChangeOptions,
  CheckOptions,
  EventsOptions,
  Options,
  SaveOptions,
  TeamVault,
  UserVault,
} from './browser/methods.ts'
export { examineKey, type ExaminedKey, type KnownSlot } from './browser/examine.ts'
export type { GetToken } from './browser/get-token.ts'
export { Problem, type KeyReason, type ProblemCode } from './browser/problem.ts'
export type { AnswerOf, BodyOf, EventFilter } from '../shared/routes.ts'
export type { EventAnswer, ExportLine, ListedAnswer, MemberSlot } from '../shared/answers.ts'
export type { ErrorCode } from '../shared/error-code.ts'

/**
 * The texts of a language, such as the modules `user-key-vault/browser/de` have them. A text that is missing is said in English.
 */
export interface ProblemLanguage {
  tag: string
  texts: Readonly<Partial<Record<ProblemText, string>>>
}

/** The slot that was being worked on, in the form of the list. */
export interface NamedSlot {
  provider: string
  label?: string | null | undefined
  hosts?: readonly string[] | undefined
  has_api_key?: boolean | undefined
}

const ENGLISH: ProblemLanguage = { tag: 'en', texts: {} }

/**
 * What went wrong, as a person reads it. Some texts name the provider or the hosts of `slot`.
 *
 * @example
 * import de from 'user-key-vault/browser/de'
 * describeProblem(error, de, slot)
 */
export function describeProblem(
  error: unknown,
  language = ENGLISH,
  slot: NamedSlot = { provider: '' },
): string {
  const problem = Problem.from(error)
  const speech = speak(language)
  const { hosts = null, has_api_key: key } = slot
  const text = sayProblem(problem, speech, { hosts, key }, nameProvider(slot))
  const seconds = Math.ceil((problem.retryAt - Date.now()) / 1_000)
  const { requestId: id } = problem
  const more = [
    seconds > 0 && speech.say('retryIn', { time: sayDuration(seconds, language.tag) }),
    problem.isFault && id !== null && speech.say('reference', { id }),
  ]
  return more.reduce<string>((said, next) => (next ? said + gapAfter(said) + next : said), text)
}

/** The label of a slot without one is what its provider is called. */
function nameProvider({ provider: name, label }: NamedSlot): string {
  const { provider, label: own } = splitSlot(name)
  return own === null && label ? label : provider
}

function speak({ tag, texts }: ProblemLanguage): Speech {
  return {
    say: (name, values) => fillText(texts[name] ?? PROBLEM_TEXTS[name], values),
    list: (words) => new Intl.ListFormat(tag, { type: 'disjunction' }).format(words),
  }
}
