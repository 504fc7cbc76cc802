/** The error codes that a client may branch on. They do not change between versions. */

import * as z from 'zod/mini'

/** Why a key could not be used on its user's behalf. */
export const callErrorCode = z.enum([
  'not_granted',
  'scope_missing',
  'provider_not_granted',
  'invalid_argument',
  'origin_not_allowed',
  'no_api_key',
  'api_key_unreadable',
  'api_key_expired',
  'api_key_paused',
  'caller_not_allowed',
  'limit_reached',
  'provider_unreachable',
  'upgrade_not_supported',
])

/** Faults of the service itself. Its log says what happened. */
export const faultCode = z.enum([
  'internal',
  'server_misconfigured',
  'database_busy',
  'token_keys_unreachable',
  'unhealthy',
])

/** Why a request over HTTP, or a call over a binding, was refused. */
export const errorCode = z.enum([
  'api_key_missing',
  'api_key_invalid',
  'base_url_invalid',
  'expires_at_invalid',
  'limits_invalid',
  'invalid_json',
  'content_type_not_json',
  'invalid_query',
  'invalid_precondition',
  'token_missing',
  'token_invalid',
  'token_expired',
  'not_your_own',
  'user_not_found',
  'unknown_provider',
  'not_found',
  'method_not_allowed',
  'body_too_large',
  'body_too_slow',
  'api_key_rejected',
  'api_key_exists',
  'changed_meanwhile',
  'rate_limited',
  ...callErrorCode.options,
  ...faultCode.options,
])

export type CallErrorCode = z.infer<typeof callErrorCode>
export type FaultCode = z.infer<typeof faultCode>
export type ErrorCode = z.infer<typeof errorCode>
