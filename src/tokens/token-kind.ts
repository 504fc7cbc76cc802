/** Distinguishes access tokens from other JWTs of an identity provider (RFC 8725 §3.11, RFC 9068 §2.1). */

import type { JWTHeaderParameters, JWTPayload } from 'jose'

/** The `typ` in the header of an access token, without `application/`, in any case (RFC 7515 §4.1.9). */
const HEADER_TYPES = new Set(['jwt', 'at+jwt'])

/** The claims in which issuers name a token's kind, and their values in an access token. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  // flask-jwt-extended
  type: ['access'],
  // Keycloak. Its other values are ID, Refresh, Offline and Logout.
  typ: ['Bearer'],
  // Amazon Cognito
  token_use: ['access'],
  // djangorestframework-simplejwt. Other issuers write how the token is sent.
  token_type: ['access', 'Bearer', 'bearer'],
}

const ID_TOKEN = 'an ID token'
const AUTHORIZATION_RESPONSE = 'an authorization response'

/** Claims of other kinds of tokens only. `nonce` is not here, since old Keycloaks add it to access tokens. */
const FOREIGN: Readonly<Record<string, string>> = {
  // OpenID Connect Core 1.0 §3.1.3.6, §3.3.2.11; Financial-grade API 1.0 §5.1
  at_hash: ID_TOKEN,
  c_hash: ID_TOKEN,
  s_hash: ID_TOKEN,
  // RFC 8417 §2.2; OpenID Connect Back-Channel Logout 1.0 §2.4
  events: 'a logout token or a security event',
  // JWT Secured Authorization Response Mode §2.1
  code: AUTHORIZATION_RESPONSE,
  access_token: AUTHORIZATION_RESPONSE,
  id_token: AUTHORIZATION_RESPONSE,
  // RFC 9701 §5
  token_introspection: 'an introspection response',
}

/**
 * Cloudflare Access writes it as `type`, and never the `access` of flask-jwt-extended:
 * https://developers.cloudflare.com/cloudflare-one/access-controls/applications/http-apps/authorization-cookie/application-token/
 */
const ACCESS_APPLICATION = 'app'

/**
 * Why a verified JWT is not a Bearer access token, as a sentence; null if it is one. `isForUs` says whether issuer and
 * audience were compared with those of the configuration: only then is a token "for an application" for this one.
 */
export function nameKindFault(
  header: JWTHeaderParameters,
  claims: JWTPayload,
  isForUs = false,
): string | null {
  if (!isAccessType(header.typ)) {
    return 'The "typ" of its header must be that of an access token: JWT or at+jwt.'
  }
  for (const [claim, kinds] of Object.entries(KINDS)) {
    const kind = claims[claim]
    if (kind === undefined || kinds.some((known) => known === kind)) continue
    if (claim === 'type' && kind === ACCESS_APPLICATION && isForUs) continue
    return `Its "${claim}" is not "${kinds[0]}": send the access token, not an ID or refresh token.`
  }
  const foreign = Object.keys(FOREIGN).find((claim) => claims[claim] !== undefined)
  if (foreign !== undefined) {
    return `It has "${foreign}", so it is ${FOREIGN[foreign]}: send the access token.`
  }
  // RFC 7800, RFC 9449 §7.1, RFC 8705 §3: without this check, a stolen token of this kind would work here.
  if (claims['cnf'] === undefined) return null
  return 'It is bound to a key ("cnf"): this service only accepts tokens that are not bound to one.'
}

function isAccessType(typ: unknown): boolean {
  if (typ === undefined) return true
  return typeof typ === 'string' && HEADER_TYPES.has(typ.toLowerCase().replace('application/', ''))
}

/** The scopes of a token: `scope` (RFC 9068 §2.2.3), or `scp` (Okta, Entra), as text or as a list. */
export function scopesOf({ scope, scp }: JWTPayload): string[] {
  return [scope, scp].flat().flatMap((text) => (typeof text === 'string' ? text.split(' ') : []))
}

/** The scopes, and the `permissions` of Auth0 and WorkOS, which are a list. An ID token may have those too. */
export function rightsOf(payload: JWTPayload): string[] {
  const { permissions } = payload
  const granted: unknown[] = Array.isArray(permissions) ? permissions : []
  return [...scopesOf(payload), ...granted.filter((name) => typeof name === 'string')]
}
