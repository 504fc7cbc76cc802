/** The HTTP answer to a VaultError: its status, its sentence and its headers. */

import type { Context } from 'hono'
import { VaultError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import type { ErrorAnswer } from '../shared/answers.ts'
import type { ErrorCode } from '../shared/error-code.ts'

interface Answer {
  status: 400 | 401 | 403 | 404 | 405 | 409 | 413 | 422 | 429 | 500 | 502 | 503
  /** The sentence that frontends already know. */
  error: string
  /** RFC 6750 §3. */
  challenge?: string
}

const INTERNAL = 'Internal server error'
const INVALID_TOKEN = 'Bearer error="invalid_token"'

/** The answer to each code. */
export const ANSWERS: Record<ErrorCode, Answer> = {
  api_key_missing: { status: 400, error: 'API key is required in request body' },
  api_key_invalid: { status: 400, error: 'Valid API key string is required' },
  base_url_invalid: { status: 400, error: 'Valid base URL is required' },
  invalid_json: { status: 400, error: 'Request body must be valid JSON' },
  content_type_not_json: { status: 400, error: 'Request body must be valid JSON' },
  invalid_query: { status: 400, error: 'Query is not valid' },
  invalid_argument: { status: 400, error: 'Argument is not valid' },
  token_missing: {
    status: 401,
    error: 'Authorization header with a Bearer token is required',
    challenge: 'Bearer',
  },
  token_invalid: { status: 401, error: 'Token is not valid', challenge: INVALID_TOKEN },
  token_expired: { status: 401, error: 'Token has expired', challenge: INVALID_TOKEN },
  not_your_own: { status: 403, error: "Unauthorized to access this user's API key" },
  not_granted: { status: 403, error: 'Not granted to this caller' },
  provider_not_granted: { status: 403, error: 'Provider is not granted to this caller' },
  origin_not_allowed: { status: 403, error: "Request is not for the provider's origin" },
  user_not_found: { status: 404, error: 'User not found' },
  unknown_provider: { status: 404, error: 'Unknown provider' },
  no_api_key: { status: 404, error: 'No API key is saved' },
  not_found: { status: 404, error: 'Not found' },
  method_not_allowed: { status: 405, error: 'Method not allowed' },
  api_key_exists: { status: 409, error: 'This provider has an API key already' },
  body_too_large: { status: 413, error: 'Request body is too large' },
  api_key_rejected: { status: 422, error: 'The provider rejected this API key' },
  rate_limited: { status: 429, error: 'Too many requests' },
  internal: { status: 500, error: INTERNAL },
  server_misconfigured: { status: 500, error: INTERNAL },
  api_key_unreadable: { status: 500, error: 'The saved API key cannot be decrypted' },
  provider_unreachable: { status: 502, error: 'The provider cannot be reached' },
  database_busy: { status: 503, error: 'Database is busy' },
  token_keys_unreachable: { status: 503, error: 'Keys to check the token with are unreachable' },
  unhealthy: { status: 503, error: 'Service is not healthy' },
}

/** For `not_your_own`, the sentence names what the request tried to do. */
export const NOT_YOUR_OWN: Record<string, string> = {
  PUT: "Unauthorized to update this user's API key",
  POST: "Unauthorized to update this user's API key",
  DELETE: "Unauthorized to delete this user's API key",
}

/** What {@link answerError} sets for the request's log line. */
export interface AnswerVariables {
  errorCode?: ErrorCode
}

/** Answers `error` as the contract says. A fault's cause goes into the log, never into the answer. */
export function answerError(
  error: unknown,
  c: Context,
  headers: Record<string, string> = {},
): Response {
  const refusal = VaultError.from(error)
  const { code, detail, retryAfter, cause = refusal } = refusal
  const { status, challenge, ...answer } = ANSWERS[code]
  const sentence = (code === 'not_your_own' && NOT_YOUR_OWN[c.req.method]) || answer.error
  const request_id: string | undefined = c.get('requestId')
  c.set('errorCode', code)
  if (refusal.isFault) log('error', 'error', { request_id, code, error: errorFields(cause) })
  const body: ErrorAnswer = {
    error: sentence,
    code,
    ...(detail !== undefined && { detail }),
    ...(request_id !== undefined && { request_id }),
  }
  return c.json(body, status, {
    ...headers,
    ...(challenge !== undefined && { 'WWW-Authenticate': challenge }),
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  })
}
