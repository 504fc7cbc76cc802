/** The headers that carry credentials: an application's own, or those of a browser whose headers it passes on. */

/** In lower case. None of them passes through the vault. */
export const CREDENTIALS = [
  'api-key',
  'authorization',
  'cf-access-client-secret',
  'cf-access-jwt-assertion',
  'cf-access-token',
  'cookie',
  'ocp-apim-subscription-key',
  'proxy-authorization',
  'x-amz-security-token',
  'x-api-key',
  'x-auth-token',
  'x-goog-api-key',
]
