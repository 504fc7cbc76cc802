/** The HTTP status and the sentence of each error code. They are published. */

import type { ErrorCode } from './shared/error-code.ts'

/** A status, and the sentence in the body. */
interface Answer {
  status: 400 | 401 | 403 | 404 | 405 | 408 | 409 | 410 | 412 | 413 | 422 | 429 | 500 | 502 | 503
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
  expires_at_invalid: { status: 400, error: 'Valid expiry time is required' },
  limits_invalid: { status: 400, error: 'Valid limits are required' },
  invalid_json: { status: 400, error: 'Request body must be valid JSON' },
  content_type_not_json: { status: 400, error: 'Request body must be valid JSON' },
  invalid_query: { status: 400, error: 'Query is not valid' },
  invalid_precondition: { status: 400, error: 'Precondition is not valid' },
  upgrade_not_supported: { status: 400, error: 'This upgrade is not supported' },
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
  api_key_paused: { status: 403, error: 'The owner of the API key has paused it' },
  caller_not_allowed: { status: 403, error: 'The owner of the API key does not allow this caller' },
  scope_missing: {
    status: 403,
    error: 'Token lacks the scope for the relay',
    // RFC 6750 §3.1
    challenge: 'Bearer error="insufficient_scope"',
  },
  origin_not_allowed: { status: 403, error: "Request is not for the provider's origin" },
  user_not_found: { status: 404, error: 'User not found' },
  unknown_provider: { status: 404, error: 'Unknown provider' },
  no_api_key: { status: 404, error: 'No API key is saved' },
  not_found: { status: 404, error: 'Not found' },
  method_not_allowed: { status: 405, error: 'Method not allowed' },
  body_too_slow: { status: 408, error: 'Request body came too slowly' },
  api_key_exists: { status: 409, error: 'This provider has an API key already' },
  api_key_expired: { status: 410, error: 'The saved API key has expired' },
  changed_meanwhile: { status: 412, error: 'The slot is not as the request expects' },
  body_too_large: { status: 413, error: 'Request body is too large' },
  api_key_rejected: { status: 422, error: 'The provider rejected this API key' },
  limit_reached: { status: 429, error: "The API key has reached its owner's limit" },
  rate_limited: { status: 429, error: 'Too many requests' },
  internal: { status: 500, error: INTERNAL },
  server_misconfigured: { status: 500, error: INTERNAL },
  api_key_unreadable: { status: 500, error: 'The saved API key cannot be decrypted' },
  provider_unreachable: { status: 502, error: 'The provider cannot be reached' },
  database_busy: { status: 503, error: 'Database is busy' },
  token_keys_unreachable: { status: 503, error: 'Keys to check the token with are unreachable' },
  unhealthy: { status: 503, error: 'Service is not healthy' },
}
