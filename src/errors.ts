/** Every refusal of this service: one class, a stable code, and the sentence a frontend already knows. */

const REFUSALS = {
  api_key_missing: { status: 400, error: 'API key is required in request body' },
  api_key_invalid: { status: 400, error: 'Valid API key string is required' },
  invalid_json: { status: 400, error: 'Request body must be valid JSON' },
  content_type_not_json: { status: 400, error: 'Request body must be valid JSON' },
  invalid_query: { status: 400, error: 'Query is not valid' },
  token_missing: { status: 401, error: 'Authorization header with a Bearer token is required' },
  token_invalid: { status: 401, error: 'Token is not valid' },
  token_expired: { status: 401, error: 'Token has expired' },
  not_your_own: { status: 403, error: "Unauthorized to access this user's API key" },
  user_not_found: { status: 404, error: 'User not found' },
  unknown_provider: { status: 404, error: 'Unknown provider' },
  not_found: { status: 404, error: 'Not found' },
  method_not_allowed: { status: 405, error: 'Method not allowed' },
  body_too_large: { status: 413, error: 'Request body is too large' },
  api_key_rejected: { status: 422, error: 'The provider rejected this API key' },
  rate_limited: { status: 429, error: 'Too many requests' },
  internal: { status: 500, error: 'Internal server error' },
  server_misconfigured: { status: 500, error: 'Internal server error' },
  database_busy: { status: 503, error: 'Database is busy' },
  token_keys_unreachable: { status: 503, error: 'Keys to check the token with are unreachable' },
  unhealthy: { status: 503, error: 'Service is not healthy' },
} as const

/** The part of a refusal that a client may branch on; it does not change between versions. */
export type ErrorCode = keyof typeof REFUSALS

interface Refusal {
  /** Replaces the code's own sentence. */
  error?: string
  /** What is wrong with this very request. Never holds what was sent. */
  detail?: string
  headers?: Record<string, string>
  /** For the log alone. */
  cause?: unknown
}

/** A refusal, thrown where it is found and rendered once, by `answerError`. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ErrorCode
  readonly status: (typeof REFUSALS)[ErrorCode]['status']
  readonly detail: string | undefined
  readonly headers: Record<string, string>

  constructor(code: ErrorCode, { error, detail, headers = {}, cause }: Refusal = {}) {
    super(error ?? REFUSALS[code].error, { cause })
    this.code = code
    this.status = REFUSALS[code].status
    this.detail = detail
    this.headers = headers
  }

  /** `error` itself where it is an ApiError; anything else is a fault of ours, `internal`. */
  static from(error: unknown): ApiError {
    return error instanceof ApiError ? error : new ApiError('internal', { cause: error })
  }
}

/** The JSON body of every answer that is not a 200. */
export interface ErrorBody {
  error: string
  code: ErrorCode
  detail?: string
  request_id?: string
}

/** What is sent for `error`; `requestId` is left out where the app has none. */
export function errorBody(error: ApiError, requestId?: string): ErrorBody {
  return {
    error: error.message,
    code: error.code,
    ...(error.detail !== undefined && { detail: error.detail }),
    ...(requestId !== undefined && { request_id: requestId }),
  }
}
