/** Sign-in with OpenID Connect: Authorization Code with PKCE (RFC 7636), by redirects. */

import * as oauth from 'oauth4webapi'
import { RETURN_URI, SignInError, discover, explain, type OidcConfig } from './identity-provider.ts'
import { openSession, type Session } from './session.ts'

/** What the answer of the provider is checked with. The page remembers it while the user is at the provider. */
export interface Pending {
  state: string
  nonce: string
  verifier: string
}

/** Names in sessionStorage. Neither holds a token. */
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

/** How a sign-in is asked for. */
interface Asked {
  /** With `none`, the provider answers at once, without showing a page. With `login`, it asks again who the user is. */
  prompt?: 'none' | 'login' | undefined
  state?: string
}

/**
 * Begins a sign-in at the provider.
 *
 * @returns where to send the user, and what the answer is checked with
 * @throws SignInError
 */
export async function beginSignIn(
  config: OidcConfig,
  { prompt, state = oauth.generateRandomState() }: Asked = {},
): Promise<{ url: URL; pending: Pending }> {
  const { server, options } = await discover(config)
  const nonce = oauth.generateRandomNonce()
  const verifier = oauth.generateRandomCodeVerifier()
  const url = new URL(server.authorization_endpoint ?? '')
  const parameters = {
    ...options.additionalParameters,
    response_type: 'code',
    client_id: config.client_id,
    redirect_uri: RETURN_URI,
    scope: config.scope,
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...(prompt && { prompt }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  return { url, pending: { state, nonce, verifier } }
}

/** Redirects to the provider. @throws SignInError */
export async function leaveForSignIn(config: OidcConfig, prompt?: 'none'): Promise<void> {
  forgetSignIn()
  const { url, pending } = await beginSignIn(config, { prompt })
  sessionStorage.setItem(PENDING, JSON.stringify(pending))
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
  const answer = new URLSearchParams(location.search)
  const pending: Pending = JSON.parse(sessionStorage.getItem(PENDING) ?? '{}')
  sessionStorage.removeItem(PENDING)
  history.replaceState(null, '', '/')
  try {
    const session = await redeem(config, answer, pending)
    sessionStorage.setItem(WAS_SIGNED_IN, 'true')
    return session
  } catch (error) {
    const cause = error instanceof SignInError ? error.cause : null
    if (cause instanceof oauth.AuthorizationResponseError && NOT_SIGNED_IN.has(cause.error)) {
      return null
    }
    throw error
  }
}

/** Opens the session that the provider's answer stands for. @throws SignInError */
export async function redeem(
  config: OidcConfig,
  answer: URLSearchParams,
  { state, nonce, verifier }: Pending,
): Promise<Session> {
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
    return openSession(provider, tokens)
  } catch (error) {
    throw explain(error, config)
  }
}
