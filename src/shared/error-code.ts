/** The table of error codes: status, sentence, and when the same request may succeed. It is published. */

/** What a code means. */
interface Meaning {
  status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 412 | 413 | 422 | 429 | 500 | 502 | 503
  /** The sentence in the body, which frontends already know. */
  error: string
  /** RFC 6750 §3. */
  challenge?: string
  /**
   * When the same request may succeed: at once, after the `Retry-After` of the answer, or after that, but only
   * in the next day or month. If it is left out, never: something has to change first.
   */
  retry?: 'at_once' | 'wait' | 'next_period'
}

const INTERNAL = 'Internal server error'
const INVALID_TOKEN = 'Bearer error="invalid_token"'

/** Why a request to the API was refused. Some of them refuse a use too. */
const REQUESTS = {
  api_key_missing: { status: 400, error: 'API key is required in request body' },
  api_key_invalid: { status: 400, error: 'Valid API key string is required' },
  base_url_invalid: { status: 400, error: 'Valid base URL is required' },
  expires_at_invalid: { status: 400, error: 'Valid expiry time is required' },
  limits_invalid: { status: 400, error: 'Valid limits are required' },
  label_invalid: { status: 400, error: 'Valid label is required' },
  team_settings_invalid: { status: 400, error: 'Valid team settings are required' },
  invalid_json: { status: 400, error: 'Request body must be valid JSON' },
  content_type_not_json: { status: 400, error: 'Request body must be valid JSON' },
  invalid_query: { status: 400, error: 'Query is not valid' },
  invalid_precondition: { status: 400, error: 'Precondition is not valid' },
  token_missing: {
    status: 401,
    error: 'Authorization header with a Bearer token is required',
    challenge: 'Bearer',
  },
  token_invalid: { status: 401, error: 'Token is not valid', challenge: INVALID_TOKEN },
  token_expired: { status: 401, error: 'Token has expired', challenge: INVALID_TOKEN },
  not_your_own: { status: 403, error: "Unauthorized to access this user's API key" },
  user_not_found: { status: 404, error: 'User not found' },
  unknown_provider: { status: 404, error: 'Unknown provider' },
  not_found: { status: 404, error: 'Not found' },
  method_not_allowed: { status: 405, error: 'Method not allowed' },
  body_too_large: { status: 413, error: 'Request body is too large' },
  body_too_slow: { status: 408, error: 'Request body arrived too slowly', retry: 'at_once' },
  api_key_rejected: { status: 422, error: 'The provider rejected this API key' },
  too_many_keys: { status: 409, error: 'This provider already has the maximum number of API keys' },
  api_key_exists: { status: 409, error: 'This provider has an API key already' },
  changed_meanwhile: {
    status: 412,
    error: 'The slot is not in the state that the request expects',
  },
  rate_limited: { status: 429, error: 'Too many requests', retry: 'wait' },
} as const satisfies Record<string, Meaning>

/** Why a key could not be used on its owner's behalf. The API has some of them too. */
export const USES = {
  not_granted: { status: 403, error: 'This caller lacks the grant for this' },
  scope_missing: {
    status: 403,
    error: 'Token lacks the scope for this',
    // RFC 6750 §3.1
    challenge: 'Bearer error="insufficient_scope"',
  },
  provider_not_granted: { status: 403, error: 'This caller may not use this provider' },
  teams_not_in_token: { status: 403, error: 'Token does not list the teams of its user' },
  team_required: { status: 400, error: 'Team is required' },
  invalid_argument: { status: 400, error: 'Argument is not valid' },
  origin_not_allowed: { status: 403, error: "Request is not for the provider's origin" },
  no_api_key: { status: 404, error: 'No API key is saved' },
  api_key_unreadable: { status: 500, error: 'The saved API key cannot be decrypted' },
  api_key_expired: { status: 410, error: 'The saved API key has expired' },
  api_key_paused: { status: 403, error: 'The owner of the API key has paused it' },
  caller_not_allowed: { status: 403, error: 'The owner of the API key does not allow this caller' },
  limit_reached: {
    status: 429,
    error: 'The API key has reached the limit that its owner set',
    retry: 'next_period',
  },
  provider_unreachable: { status: 502, error: 'The provider cannot be reached', retry: 'at_once' },
  upgrade_not_supported: { status: 400, error: 'This upgrade is not supported' },
} as const satisfies Record<string, Meaning>

/** Faults of the service itself. Its log says what happened. */
export const FAULTS = {
  internal: { status: 500, error: INTERNAL },
  server_misconfigured: { status: 500, error: INTERNAL },
  database_busy: { status: 503, error: 'Database is busy', retry: 'wait' },
  token_keys_unreachable: {
    status: 503,
    error: 'The keys that verify tokens cannot be reached',
    retry: 'wait',
  },
  unhealthy: { status: 503, error: 'Service is not healthy', retry: 'wait' },
} as const satisfies Record<string, Meaning>

const ALL = { ...REQUESTS, ...USES, ...FAULTS }

/** Why a request over HTTP, or a call over a binding, was refused. A client may branch on it. */
export type ErrorCode = keyof typeof ALL

/** A code whose refusals say how long to wait. */
export type WaitCode = {
  [Code in ErrorCode]: (typeof ALL)[Code] extends { retry: 'wait' | 'next_period' } ? Code : never
}[ErrorCode]

/** Every code. A new one is an entry above. Types and tests then tell which texts it lacks. */
export const CODES: Readonly<Record<ErrorCode, Meaning>> = ALL
