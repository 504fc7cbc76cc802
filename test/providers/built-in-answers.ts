/** Answers of the built-in providers, each with the page that documents it or the thread that shows it. */

import { OUT_OF_CREDIT as CONDITION } from '../../src/shared/slot.ts'
import vectors from './vectors/answers.json'

export const OUT_OF_CREDIT = CONDITION

/** An answer to a request with a key. */
export interface Answer {
  provider: string
  /** What had happened to the key or its account. */
  about: string
  /** Why the key is rejected, that its account is out of credit, or `nothing`. */
  says: string
  status: number
  body: object | string
  /** The page that documents it, or the thread that shows it. */
  source: string
}

export const ANSWERS: readonly Answer[] = Object.entries(vectors).flatMap(([provider, answers]) =>
  answers.map((answer) => ({ provider, ...answer })),
)
