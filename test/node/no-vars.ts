/** The variables of an operator who sets none. */

/** The default variables, so that an operator's wrangler.toml does not affect the tests. */
export const NO_VARS = {
  ALLOW_REVEAL: 'false',
  AUTO_CREATE_USERS: 'false',
  CORS_ORIGINS: '',
  DEFAULT_PROVIDER: '',
  EVENTS_KEPT_DAYS: '',
  EXPIRED_KEPT_DAYS: '',
  JWT_JWKS_URL: '',
  JWT_ISSUER: '',
  JWT_AUDIENCE: '',
  JWT_IDENTITY_CLAIM: '',
  JWT_SCOPE: '',
  OIDC_AUDIENCE: '',
  OIDC_CLIENT_ID: '',
  OIDC_ISSUER: '',
  OIDC_SCOPE: '',
  RELAY_PROVIDERS: '',
  RELAY_SCOPE: '',
  REWRAP_ROWS_PER_RUN: '',
  VERIFY_ON_SAVE: '',
}
