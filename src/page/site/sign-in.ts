/** Sign-in with OpenID Connect: Authorization Code with PKCE (RFC 7636), by redirects. */

import * as oauth from 'oauth4webapi'
import { RETURN_URI, discover, explain, type OidcConfig } from './identity-provider.ts'
import { openSession, type Session } from './session.ts'

/** What the page remembers while the user is at the provider. */
interface Pending {
  state: string
  nonce: string
  verifier: string
}

/** Names in sessionStorage, which never holds a token. */
const PENDING = 'sign-in'
const WAS_SIGNED_IN = 'was-signed-in'

/** Errors by which a provider answers `prompt=none` if nobody is signed in (OpenID Connect Core 1.0 §3.1.2.6). */
const NOT_SIGNED_IN = new Set([
  'login_required',
  'interaction_required',
  'consent_required',
  'account_selection_required',
])

/** Whether this tab had a session before the page was loaded. Then the user may still be signed in at the provider. */
export function wasSignedIn(): boolean {
  return sessionStorage.getItem(WAS_SIGNED_IN) !== null
}

/** Forgets that there was a session. */
export function forgetSignIn(): void {
  sessionStorage.removeItem(WAS_SIGNED_IN)
}

/** Whether the provider has sent the user back here. */
export function isAnswered(): boolean {
  return sessionStorage.getItem(PENDING) !== null && location.search.includes('state=')
}

/**
 * Redirects to the provider. With the prompt `none`, it answers at once, without showing a page.
 *
 * @throws SignInError
 */
export async function leaveForSignIn(config: OidcConfig, prompt?: 'none'): Promise<void> {
  forgetSignIn()
  const { server, options } = await discover(config)
  const pending: Pending = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
  }
  sessionStorage.setItem(PENDING, JSON.stringify(pending))
  const url = new URL(server.authorization_endpoint ?? '')
  const parameters = {
    ...options.additionalParameters,
    response_type: 'code',
    client_id: config.client_id,
    redirect_uri: RETURN_URI,
    scope: config.scope,
    state: pending.state,
    nonce: pending.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(pending.verifier),
    code_challenge_method: 'S256',
    ...(prompt && { prompt }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  // The Back button must not lead to a page that only redirects.
  if (prompt === 'none') location.replace(url)
  else location.assign(url)
}

/**
 * Completes the sign-in after the provider's redirect, and removes its answer from the address.
 *
 * @returns null if the prompt was `none` and nobody is signed in at the provider
 * @throws SignInError
 */
export async function completeSignIn(config: OidcConfig): Promise<Session | null> {
  const answer = new URL(location.href)
  const { state, nonce, verifier }: Pending = JSON.parse(sessionStorage.getItem(PENDING) ?? '{}')
  sessionStorage.removeItem(PENDING)
  history.replaceState(null, '', '/')
  const provider = await discover(config)
  const { server, client, options } = provider
  try {
    const parameters = oauth.validateAuthResponse(server, client, answer, state)
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.None(),
      parameters,
      RETURN_URI,
      verifier,
      options,
    )
    const expected = { expectedNonce: nonce, requireIdToken: true }
    const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, expected)
    const session = openSession(provider, tokens)
    sessionStorage.setItem(WAS_SIGNED_IN, 'true')
    return session
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError && NOT_SIGNED_IN.has(error.error)) {
      return null
    }
    throw explain(error, config)
  }
}
