/** What went wrong, in words for the person at the screen; the code is the service's, or one below. */

import type { ErrorAnswer } from '../../shared/answers.ts'
import type { ErrorCode } from '../../shared/error-code.ts'
import { isJsonObject } from '../../shared/json.ts'

/** Codes of faults on the way, which no answer names. */
type WayCode = 'offline' | 'unreachable' | 'no_answer' | 'not_an_answer'

/** What happened, for a person and for the host application. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ErrorCode | WayCode
  /** The service's, to tell those who run it. */
  readonly requestId: string | null
  /** In milliseconds since the epoch; before that another attempt is in vain. */
  readonly retryAt: number

  /** Whether it is for those who run the service to mend, who find it by its reference. */
  get isFault(): boolean {
    return this.requestId !== null && !(this.code in SENTENCES || SPOKEN.has(this.code))
  }

  /** `error` itself where it is a Problem; anything else is a fault of this page, for the console. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error
    console.error(String(error))
    return new Problem('internal')
  }

  constructor(
    code: ErrorCode | WayCode,
    { message = SENTENCES[code] ?? FAULT, requestId, retryAt = 0 }: ProblemOptions = {},
  ) {
    super(message)
    this.code = code
    this.requestId = requestId ?? null
    this.retryAt = retryAt
  }
}

interface ProblemOptions {
  message?: string
  requestId?: string | undefined
  retryAt?: number
}

const SIGN_IN = 'Your session has ended. Sign in again; nothing was changed.'
const NOT_ACCEPTED =
  'Your sign-in is not accepted here. Sign in again, or tell the support of this application.'
const BUSY = 'The key service is busy. Nothing was lost.'
const FAULT = 'Something went wrong in the key service. Tell the support of this application.'

/** Their details are meant for a person. */
const SPOKEN = new Set<string>(['api_key_invalid', 'api_key_rejected', 'base_url_invalid'])

const SENTENCES: Partial<Record<ErrorCode | WayCode, string>> = {
  offline: 'You are offline. Try again when you are connected.',
  unreachable: 'The key service cannot be reached. Check your connection, then try again.',
  no_answer: 'The key service gave no answer in time. Reload the page to see what it has done.',
  not_an_answer: 'Something between you and the key service answered in its place. Try again.',
  token_missing: SIGN_IN,
  token_invalid: NOT_ACCEPTED,
  token_expired: SIGN_IN,
  not_your_own: 'These keys belong to another account than you are signed in with.',
  user_not_found: 'Your account is not set up for keys yet. Tell the support of this application.',
  unknown_provider: 'This provider is not offered any more. Reload the page.',
  api_key_exists: 'This provider has a key already. Reload the page.',
  no_api_key: 'This key was deleted elsewhere. Reload the page.',
  body_too_large: 'This is too long to be a key.',
  rate_limited: 'Too many attempts.',
  database_busy: BUSY,
  token_keys_unreachable: BUSY,
  unhealthy: BUSY,
}

/** The problem that an answer of the service tells: its detail, where that is meant for a person. */
export async function readProblem(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => null)
  if (!isErrorAnswer(body)) return new Problem('not_an_answer')
  const { code, detail, request_id: requestId } = body
  const seconds = Number(response.headers.get('Retry-After') ?? 0)
  const retryAt = seconds > 0 ? Date.now() + seconds * 1_000 : 0
  if (code === 'token_invalid') {
    const told = detail === undefined ? '' : ` About the token: ${detail}`
    return new Problem(code, { message: NOT_ACCEPTED + told, requestId })
  }
  if (!SPOKEN.has(code) || detail === undefined) return new Problem(code, { requestId, retryAt })
  return new Problem(code, {
    message: detail.replace(/^api_key /, 'The key ').replace(/^base_url /, 'The base URL '),
    requestId,
  })
}

function isErrorAnswer(body: unknown): body is ErrorAnswer {
  return isJsonObject(body) && 'code' in body
}
