/** What went wrong: a code of the service, or one of the way there, and the text that says it. */

import type { ErrorAnswer } from '../../shared/answers.ts'
import { isJsonObject } from '../../shared/json.ts'
import type { KeyReason } from '../../shared/key-text.ts'
import type { ProblemCode } from './host.ts'
import { describeReason } from './key-remark.ts'
import { gapAfter, type Language } from './language.ts'
import { nameProvider, type ShownSlot } from './slot.ts'
import { isTextName, type TextName } from './texts.ts'

/** A request that failed. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ProblemCode
  /** What the service said in English, for whoever builds the application. */
  readonly detail: string
  /** Why the service refuses a text as a key; null for any other problem. */
  readonly keyFault: KeyFault | null
  /** By which the operator finds the request in the log. */
  readonly requestId: string | null
  /** In milliseconds since the epoch. Until then another attempt fails too. */
  readonly retryAt: number

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
    const { detail = '', keyFault = null, requestId, retryAt = 0 } = options
    super(code)
    this.code = code
    this.detail = detail
    this.keyFault = keyFault
    this.requestId = requestId ?? null
    this.retryAt = retryAt
  }
}

interface KeyFault {
  reason: KeyReason
  index?: number | undefined
}

interface ProblemOptions {
  detail?: string | undefined
  keyFault?: KeyFault | null
  requestId?: string | undefined
  retryAt?: number
}

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
const TEXTS: Partial<Record<ProblemCode, TextName>> = {
  token_missing: 'token_expired',
  unknown_provider: 'outdated',
  no_api_key: 'outdated',
  invalid_query: 'outdated',
  invalid_precondition: 'outdated',
  api_key_paused: 'paused',
  base_url_invalid: 'baseUrlRule',
  body_too_large: 'key_too_long',
  body_too_slow: 'unreachable',
  token_keys_unreachable: 'database_busy',
  unhealthy: 'database_busy',
} satisfies Record<Exclude<ProblemCode, ForSupport | TextName>, TextName>

function nameText(code: ProblemCode): TextName | undefined {
  return isTextName(code) ? code : TEXTS[code]
}

/** The problem as a person reads it. `slot` is the one that was being worked on. */
export function describeProblem(
  { code, detail, keyFault }: Problem,
  { say, list }: Language,
  slot?: ShownSlot,
): string {
  if (keyFault !== null) return describeReason(keyFault, say)
  const values = {
    provider: slot === undefined ? '' : nameProvider(slot, say),
    hosts: list(slot?.hosts ?? []),
  }
  const text = say(nameText(code) ?? 'fault', values)
  if (code === 'api_key_rejected' && slot?.key) return text + gapAfter(text) + say('keyKept')
  if (code === 'token_invalid' && detail) return `${text}${gapAfter(text)}(${detail})`
  return text
}

/** The problem in an answer that is not a 200. */
export async function readProblem(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null)
  if (!isErrorAnswer(body)) return new Problem('not_an_answer')
  const { code, detail, reason, index, request_id: requestId } = body
  const keyFault = reason === undefined ? null : { reason, index }
  const seconds = Number(response.headers.get('Retry-After') ?? 0)
  const retryAt = seconds > 0 ? Date.now() + seconds * 1_000 : 0
  return new Problem(code, { detail, keyFault, requestId, retryAt })
}

function isErrorAnswer(body: unknown): body is ErrorAnswer {
  return isJsonObject(body) && 'code' in body
}
