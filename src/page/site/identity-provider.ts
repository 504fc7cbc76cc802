/** The identity provider that users sign in with: its metadata, and what its errors mean. */

import * as oauth from 'oauth4webapi'
import type { ConfigAnswer } from '../../shared/answers.ts'
import { isEndpointOf } from '../../shared/confidential-url.ts'
import { say } from './language.ts'

/** The time limit of each request to the provider. */
const LIMIT_MS = 15_000

/** This page: the provider sends the user here after the sign-in and the sign-out. */
export const RETURN_URI = `${location.origin}/`

/** As `GET /api/config` answers it. */
export type OidcConfig = NonNullable<ConfigAnswer['oidc']>

/** The provider's metadata (OpenID Connect Discovery 1.0), and this page as its client. */
export interface IdentityProvider {
  server: oauth.AuthorizationServer
  client: oauth.Client
  /** Options of every request to the provider. */
  options: {
    [oauth.allowInsecureRequests]: boolean
    additionalParameters: Record<string, string>
    signal: () => AbortSignal
  }
}

/** A sign-in that failed. Its message is for the user. */
export class SignInError extends Error {
  override readonly name = 'SignInError'
  /** For whoever runs the application, in English; empty if the message says it all. */
  readonly detail: string

  constructor(
    message: string,
    { detail = '', ...options }: ErrorOptions & { detail?: string } = {},
  ) {
    super(message, options)
    this.detail = detail
  }
}

/** Fetches the provider's metadata. @throws SignInError */
export async function discover(config: OidcConfig): Promise<IdentityProvider> {
  const issuer = new URL(config.issuer)
  const options = {
    // The service accepts an http: issuer on localhost only.
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
  // The issuer may name them on any host. The page's policy allows only those that the service has read there too.
  const { authorization_endpoint, token_endpoint } = server
  if (![authorization_endpoint, token_endpoint].every((url) => isEndpointOf(issuer, url))) {
    throw new SignInError(say('unsafeEndpoint', { host: issuer.host }))
  }
  return { server, client, options }
}

/**
 * The parameters that ask for an access token for the audience: `audience` (Auth0) and, if it is an
 * absolute URI, `resource` (RFC 8707).
 */
function nameAudience({ audience }: OidcConfig): Record<string, string> {
  if (audience === null) return {}
  return URL.canParse(audience) ? { audience, resource: audience } : { audience }
}

/** Turns an error of oauth4webapi into one for the user. */
export function explain(error: unknown, { issuer }: OidcConfig): SignInError {
  const { host } = new URL(issuer)
  const cause = { cause: error }
  if (error instanceof SignInError) return error
  if (
    error instanceof oauth.AuthorizationResponseError ||
    error instanceof oauth.ResponseBodyError
  ) {
    if (error.error === 'access_denied') return new SignInError(say('cancelled'), cause)
    // Both are for whoever builds the application (RFC 6749 §4.1.2.1).
    const detail = error.error_description ?? error.error
    return new SignInError(say('refused', { host }), { ...cause, detail })
  }
  if (error instanceof oauth.OperationProcessingError) {
    return new SignInError(say('invalidAnswer', { host }), { ...cause, detail: error.message })
  }
  return new SignInError(say('providerUnreachable', { host }), cause)
}
