/** What a verified token must say to be an access token for this service, and what is read of it. */

import type { JWTHeaderParameters, JWTPayload, JWTVerifyResult } from 'jose'
import { CLIENT_NAME, SERVER_GRANTS, type ServerGrant } from '../shared/caller.ts'
import { nameUserIdFault } from '../shared/user-id.ts'
import { scopeFor, TENANT, type TokenRules, type TokenSource } from './token-settings.ts'

/** The last second that an ECMAScript date can hold. A later `exp` would never pass. */
const END_OF_TIME_S = 8.64e12

/** The claims that name a client: RFC 9068 §2.2 and Cognito, OpenID Connect Core 1.0 §2, Okta, Entra v1. */
const CLIENT_CLAIMS = ['client_id', 'azp', 'cid', 'appid']

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

/** A fault that jose has no option for, as a sentence; null if there is none. */
export function nameFault(
  { payload, protectedHeader }: JWTVerifyResult,
  source: TokenSource,
  rules: TokenRules,
): string | null {
  // RFC 7797 §7
  if (protectedHeader.b64 !== undefined)
    return 'Its header has "b64", which is not allowed in a JWT.'
  const isForUs = source.kind === 'key_set' && source.audience !== undefined
  return (
    nameTimeFault(payload) ??
    nameTenantFault(payload, source) ??
    nameAudienceFault(payload, source) ??
    nameKindFault(protectedHeader, payload, isForUs) ??
    nameClientFault(payload, source) ??
    nameIdTokenFault(payload, source, rules)
  )
}

/** Why the token is not a user's, as a sentence; null if it is. */
export function nameUserFault(payload: JWTPayload, rules: TokenRules): string | null {
  return nameScopeFault(payload, rules) ?? nameIdentityFault(payload, rules)
}

function nameTimeFault({ exp = 0, nbf = 0, iat = 0 }: JWTPayload): string | null {
  const times = Object.entries({ exp, nbf, iat })
  const [timeless] = times.find(([, time]) => Math.abs(time) > END_OF_TIME_S) ?? []
  return timeless === undefined ? null : `Its "${timeless}" is not a time in seconds.`
}

/** https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer */
function nameTenantFault({ iss, tid }: JWTPayload, source: TokenSource): string | null {
  const { issuer = '', tenants } = source
  if (tenants === undefined) return null
  if (typeof tid !== 'string' || !tenants.includes(tid)) {
    return 'Its "tid" is not a tenant that this service trusts.'
  }
  return iss === issuer.replace(TENANT, tid) ? null : 'Its "iss" is not the issuer of its "tid".'
}

/** RFC 7519 §4.1.3. An empty `aud` or null counts as absent, as in PyJWT. jose does not check its type. */
function nameAudienceFault({ aud }: JWTPayload, { audience }: TokenSource): string | null {
  const isAbsent = aud === '' || [aud ?? []].flat().length === 0
  return audience !== undefined || isAbsent
    ? null
    : 'It has an "aud", but this service has no JWT_AUDIENCE to compare it with.'
}

/**
 * Why a verified JWT is another kind of token (RFC 8725 §3.11, RFC 9068 §2.1); null if it is a Bearer access token.
 * `isForUs`: its issuer and audience are those of the configuration, so a token for an application is for this one.
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
    if (kind === undefined || kinds.some((accepted) => accepted === kind)) continue
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

function nameClientFault(payload: JWTPayload, { clients }: TokenSource): string | null {
  const [first, ...others] = clientClaims(payload)
  const other = others.find((claim) => payload[claim] !== payload[String(first)])
  if (other !== undefined) return `Its "${first}" and its "${other}" name different clients.`
  if (clients === undefined) return null
  const client = clientOf(payload)
  if (client !== null && clients.includes(client)) return null
  return 'Its client is not one that JWT_CLIENTS lists.'
}

/** If the audience is the page's client, ID tokens have it too. They may have `permissions`, but no scope. */
function nameIdTokenFault(
  payload: JWTPayload,
  { audience }: TokenSource,
  { pageClient }: TokenRules,
): string | null {
  const isForPage = pageClient !== null && pageClient === audience
  const isIdToken = isForPage && scopesOf(payload).length === 0 && payload['roles'] === undefined
  return isIdToken ? 'It has no scope, so it is an ID token: send the access token.' : null
}

function nameScopeFault(payload: JWTPayload, { scope }: TokenRules): string | null {
  if (scope === null || rightsOf(payload).includes(scope)) return null
  return 'None of its "scope", "scp" and "permissions" has the scope that JWT_SCOPE requires.'
}

function nameIdentityFault(payload: JWTPayload, { identityClaim }: TokenRules): string | null {
  if (!(identityClaim in payload)) return `Its "${identityClaim}" is missing.`
  const userId = textOf(payload[identityClaim])
  if (userId === null) return `Its "${identityClaim}" is not a string or a whole number.`
  const fault = nameUserIdFault(userId)
  return fault === null ? null : `Its "${identityClaim}" ${fault}.`
}

/** The user that the token names; null if it names none. */
export function userIdOf(payload: JWTPayload, { identityClaim }: TokenRules): string | null {
  return textOf(payload[identityClaim])
}

/** A user id may be a whole number too: flask-jwt-extended writes one for `create_access_token(7)`. */
function textOf(userId: unknown): string | null {
  const text = Number.isSafeInteger(userId) ? String(userId) : userId
  return typeof text === 'string' ? text : null
}

/** What the token may do for all users: its client must be listed, and its rights name the grants. */
export function grantsOf(payload: JWTPayload, { servers }: TokenRules): ServerGrant[] {
  const client = clientOf(payload)
  if (servers === null || client === null || !servers.clients.includes(client)) return []
  const rights = rightsOf(payload)
  return SERVER_GRANTS.filter((grant) => rights.includes(scopeFor(servers, grant)))
}

/** The client that got the token, as a name that is safe in a log line; null if there is none. */
export function clientOf(payload: JWTPayload): string | null {
  const [claim = ''] = clientClaims(payload)
  const name = payload[claim]
  return typeof name === 'string' && CLIENT_NAME.test(name) ? name : null
}

/** The claims of the token that name its client. One that is null counts as absent. */
function clientClaims(payload: JWTPayload): string[] {
  return CLIENT_CLAIMS.filter((claim) => (payload[claim] ?? null) !== null)
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
