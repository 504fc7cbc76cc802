/** What went wrong: a code of the service, or a code for a failure on the way there. Each code has a text. */

import type { ErrorAnswer } from '../../shared/answers.ts'
import type { ErrorCode } from '../../shared/error-code.ts'
import { isProblemText, type ProblemText } from './texts.ts'

/** Codes of failures without an answer of the service. */
type WayCode = 'offline' | 'unreachable' | 'no_answer' | 'not_an_answer'

export type ProblemCode = ErrorCode | WayCode

/** Why a text is not a key: the reasons of `api_key_invalid`. */
export type KeyReason = NonNullable<ErrorAnswer['reason']>

/** Codes after which a user can only contact support. */
type ForSupport =
  | 'api_key_missing'
  | 'api_key_unreadable'
  | 'caller_not_allowed'
  | 'content_type_not_json'
  | 'internal'
  | 'invalid_argument'
  | 'invalid_json'
  | 'limit_reached'
  | 'method_not_allowed'
  | 'not_found'
  | 'not_granted'
  | 'origin_not_allowed'
  | 'provider_not_granted'
  | 'provider_unreachable'
  | 'scope_missing'
  | 'server_misconfigured'
  | 'team_required'
  | 'team_settings_invalid'
  | 'upgrade_not_supported'

/** The texts for the other codes. A code that is not here has the text of its own name. */
const TEXTS: Partial<Record<ProblemCode, ProblemText>> = {
  token_missing: 'token_expired',
  unknown_provider: 'outdated',
  no_api_key: 'outdated',
  invalid_query: 'outdated',
  invalid_precondition: 'outdated',
  body_too_large: 'key_too_long',
  body_too_slow: 'unreachable',
  token_keys_unreachable: 'database_busy',
  unhealthy: 'database_busy',
} satisfies Record<Exclude<ProblemCode, ForSupport | ProblemText>, ProblemText>

/** The name of the text for a code; undefined if only the operator can help. */
export function nameText(code: ProblemCode): ProblemText | undefined {
  return [code, TEXTS[code] ?? ''].find(isProblemText)
}

interface ProblemOptions {
  detail?: string | undefined
  reason?: KeyReason | undefined
  index?: number | undefined
  requestId?: string | undefined
  retryAt?: number
}

/** A request that failed. */
export class Problem extends Error {
  override readonly name = 'Problem'
  declare readonly code: ProblemCode
  /** What the service said in English, for whoever builds the application. */
  declare readonly detail: string
  /** Why the service refuses a text as a key; undefined for any other problem. */
  declare readonly reason: KeyReason | undefined
  /** The first wrong character of the key, in code points from 0, if the reason is about one. */
  declare readonly index: number | undefined
  /** The id by which the operator finds the request in the log. */
  declare readonly requestId: string | null
  /** In milliseconds since the epoch. Until then another attempt fails too. */
  declare readonly retryAt: number

  /** Whether only the operator can help. */
  get isFault(): boolean {
    return this.requestId !== null && nameText(this.code) === undefined
  }

  /** `error` itself if it is a Problem. Anything else is a fault of this script, for the console. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error
    console.error(String(error))
    return new Problem('internal')
  }

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    super(code)
    const { detail = '', reason, index, requestId = null, retryAt = 0 } = options
    Object.assign(this, { code, detail, reason, index, requestId, retryAt })
  }
}

/** The problem in an answer that is not a 200. */
export async function readProblem(response: Response): Promise<Problem> {
  const given: unknown = await response.json().catch(() => null)
  const body: Partial<ErrorAnswer> = given ?? {}
  const { code, detail, reason, index, request_id: requestId } = body
  if (typeof code !== 'string') return new Problem('not_an_answer')
  const seconds = Number(response.headers.get('Retry-After') ?? 0)
  const retryAt = seconds > 0 ? Date.now() + seconds * 1_000 : 0
  return new Problem(code, { detail, reason, index, requestId, retryAt })
}
