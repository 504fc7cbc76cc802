/** A signed-in user. Tokens are kept in memory only, and renewed if the provider allows it. */

import { decodeJwt } from 'jose'
import * as oauth from 'oauth4webapi'
import { isEndpointOf } from '../../shared/confidential-url.ts'
import { RETURN_URI, SignInError, type IdentityProvider } from './identity-provider.ts'
import { say } from './language.ts'
import type { TextName } from './texts.ts'
import type { GetToken } from '../element/host.ts'

/** A signed-in user. */
export interface Session {
  /** The access token's `sub`. That of an ID token may differ (OpenID Connect Core 1.0 §8.1). */
  userId: string
  /** The name that the page shows. */
  name: string
  /** @throws Error if the session has ended */
  getToken: GetToken
  /** Where the provider ends its own session; null if it has no such URL. */
  signOutUrl: URL | null
}

const RENEW_BEFORE_MS = 30_000

const NOT_A_JWT =
  'The access token is not a JWT. Set OIDC_AUDIENCE or OIDC_SCOPE so that the provider issues a JWT.'

/** The session of a token from a link, such as the demo user's. It cannot be renewed. */
export function openGivenSession(token: string): Session {
  const userId = readUserId(token, 'invalidLink', 'The token of this link is not a JWT.')
  const getToken: GetToken = ({ refresh }) => {
    if (refresh) throw new Error('This token cannot be renewed')
    return token
  }
  return { userId, name: userId, getToken, signOutUrl: null }
}

/** The session of tokens that `provider` has issued. */
export function openSession(
  provider: IdentityProvider,
  tokens: oauth.TokenEndpointResponse,
): Session {
  const userId = readUserId(tokens.access_token, 'unusableSignIn', NOT_A_JWT)
  let { access_token: accessToken, refresh_token: refreshToken } = tokens
  let expiresAt = nameExpiry(tokens)
  let renewal: Promise<string> | null = null

  async function renew(token: string): Promise<string> {
    const { server, client, options } = provider
    const none = oauth.None()
    const response = await oauth.refreshTokenGrantRequest(server, client, none, token, options)
    const renewed = await oauth.processRefreshTokenResponse(server, client, response)
    if (readUserId(renewed.access_token, 'unusableSignIn', NOT_A_JWT) !== userId)
      throw new Error('The renewed token belongs to a different user')
    accessToken = renewed.access_token
    refreshToken = renewed.refresh_token ?? token
    expiresAt = nameExpiry(renewed)
    return accessToken
  }

  return {
    userId,
    name: nameUser(tokens) ?? userId,
    getToken: async ({ refresh }) => {
      const isFresh = !refresh && Date.now() < expiresAt - RENEW_BEFORE_MS
      if (isFresh || (!refresh && refreshToken === undefined)) return accessToken
      if (refreshToken === undefined) throw new Error('The provider gave no refresh token')
      // If a rotated refresh token is used twice, the provider ends the session (RFC 9700 §4.14.2).
      renewal ??= renew(refreshToken).finally(() => (renewal = null))
      return renewal
    },
    signOutUrl: findSignOut(provider, tokens),
  }
}

/** In milliseconds since the epoch. A token without an expiry is used until the service rejects it. */
function nameExpiry({ expires_in: seconds = Infinity }: oauth.TokenEndpointResponse): number {
  return Date.now() + seconds * 1_000
}

/** @throws SignInError that tells the user `text`, and has `notJwt` for whoever runs the application */
function readUserId(token: string, text: TextName, notJwt: string): string {
  try {
    const { sub } = decodeJwt(token)
    if (sub) return sub
  } catch (cause) {
    throw new SignInError(say(text), { cause, detail: notJwt })
  }
  throw new SignInError(say(text), { detail: 'The access token has no sub.' })
}

function nameUser(tokens: oauth.TokenEndpointResponse): string | undefined {
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  return [claims?.['name'], claims?.['preferred_username'], claims?.['email']].find(
    (claim) => typeof claim === 'string',
  )
}

/**
 * OpenID Connect RP-Initiated Logout 1.0 §2. A provider ignores what it does not know, and Amazon Cognito asks for
 * `logout_uri`: https://docs.aws.amazon.com/cognito/latest/developerguide/logout-endpoint.html
 */
function findSignOut(
  { server, client }: IdentityProvider,
  { id_token: idToken = '' }: oauth.TokenEndpointResponse,
): URL | null {
  const endpoint = server.end_session_endpoint
  if (!isEndpointOf(new URL(server.issuer), endpoint)) return null
  const url = new URL(endpoint)
  url.searchParams.set('client_id', client.client_id)
  url.searchParams.set('id_token_hint', idToken)
  url.searchParams.set('post_logout_redirect_uri', RETURN_URI)
  url.searchParams.set('logout_uri', RETURN_URI)
  return url
}
