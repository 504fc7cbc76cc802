/** The identity provider that users sign in with: where it is, and what its refusals mean. */

import * as oauth from 'oauth4webapi'
import type { ConfigAnswer } from '../../shared/answers.ts'

/** For each request to the provider. */
const LIMIT_MS = 15_000

/** Where the provider sends the user after signing in and out: this page. */
export const RETURN_URI = `${location.origin}/`

/** As `GET /api/config` answers it. */
export type OidcConfig = NonNullable<ConfigAnswer['oidc']>

/** The provider by its own metadata (OpenID Connect Discovery 1.0), and this page as its client. */
export interface IdentityProvider {
  server: oauth.AuthorizationServer
  client: oauth.Client
  /** For every request to it. */
  options: {
    [oauth.allowInsecureRequests]: boolean
    additionalParameters: Record<string, string>
    signal: () => AbortSignal
  }
}

/** A sign-in that cannot be, in words for the person at the screen. */
export class SignInError extends Error {
  override readonly name = 'SignInError'
}

/** @throws SignInError */
export async function discover(config: OidcConfig): Promise<IdentityProvider> {
  const issuer = new URL(config.issuer)
  const options = {
    // The service takes an http: issuer on localhost alone.
    [oauth.allowInsecureRequests]: issuer.protocol === 'http:',
    additionalParameters: nameAudience(config),
    signal: () => AbortSignal.timeout(LIMIT_MS),
  }
  const client = { client_id: config.client_id }
  const server = await oauth
    .discoveryRequest(issuer, { algorithm: 'oidc', ...options })
    .then(async (response) => oauth.processDiscoveryResponse(issuer, response))
    .catch((error: unknown) => {
      throw explain(error, config)
    })
  if (server.token_endpoint?.startsWith(`${issuer.origin}/`) !== true) {
    throw new SignInError(
      `The token endpoint of ${issuer.host} is on another host, which this page may not ask.`,
    )
  }
  return { server, client, options }
}

/**
 * What access tokens are for, in the two ways to ask for it: `audience` (Auth0), and `resource`, which
 * is an absolute URI (RFC 8707).
 */
function nameAudience({ audience }: OidcConfig): Record<string, string> {
  if (audience === null) return {}
  return URL.canParse(audience) ? { audience, resource: audience } : { audience }
}

/** `error` of oauth4webapi in words. */
export function explain(error: unknown, { issuer }: OidcConfig): SignInError {
  const { host } = new URL(issuer)
  const cause = { cause: error }
  if (error instanceof SignInError) return error
  if (
    error instanceof oauth.AuthorizationResponseError ||
    error instanceof oauth.ResponseBodyError
  ) {
    if (error.error === 'access_denied') return new SignInError('Signing in was cancelled.', cause)
    const reason = error.error_description ?? error.error
    return new SignInError(`${host} refuses to sign you in: ${reason}`, cause)
  }
  if (error instanceof oauth.OperationProcessingError) {
    return new SignInError(`The answer of ${host} is not valid: ${error.message}`, cause)
  }
  return new SignInError(`${host} cannot be reached. Check your connection, then try again.`, cause)
}
