/** The error codes that a client may branch on. They do not change between versions. */

/** Why a request over HTTP, or a call over a binding, was refused. */
export type ErrorCode =
  | 'api_key_missing'
  | 'api_key_invalid'
  | 'base_url_invalid'
  | 'invalid_json'
  | 'content_type_not_json'
  | 'invalid_query'
  | 'token_missing'
  | 'token_invalid'
  | 'token_expired'
  | 'not_your_own'
  | 'user_not_found'
  | 'unknown_provider'
  | 'not_found'
  | 'method_not_allowed'
  | 'body_too_large'
  | 'api_key_rejected'
  | 'api_key_exists'
  | 'rate_limited'
  | CallErrorCode
  | FaultCode

/** Why a key could not be used on its user's behalf. */
export type CallErrorCode =
  | 'not_granted'
  | 'provider_not_granted'
  | 'invalid_argument'
  | 'origin_not_allowed'
  | 'no_api_key'
  | 'api_key_unreadable'
  | 'provider_unreachable'

/** Faults of the service itself. Its log says what happened. */
export type FaultCode =
  | 'internal'
  | 'server_misconfigured'
  | 'database_busy'
  | 'token_keys_unreachable'
  | 'unhealthy'
