/** What a verified token must say to be an access token for this service, and what is read of it. */

import type { JWTPayload, JWTVerifyResult } from 'jose'
import { CLIENT_NAME } from '../shared/caller.ts'
import { nameUserIdFault } from '../shared/user-id.ts'
import { nameKindFault, rightsOf, scopesOf } from './token-kind.ts'
import { TENANT, type TokenRules, type TokenSource } from './token-settings.ts'

/** The last second that an ECMAScript date can hold. A later `exp` would never pass. */
const END_OF_TIME_S = 8.64e12

/** The claims that name a client: RFC 9068 §2.2 and Cognito, OpenID Connect Core 1.0 §2, Okta, Entra v1. */
const CLIENT_CLAIMS = ['client_id', 'azp', 'cid', 'appid']

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
    nameScopeFault(payload, source, rules) ??
    nameUserFault(payload, rules.identityClaim)
  )
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

function nameClientFault(payload: JWTPayload, { clients }: TokenSource): string | null {
  const [first, ...others] = clientClaims(payload)
  const other = others.find((claim) => payload[claim] !== payload[String(first)])
  if (other !== undefined) return `Its "${first}" and its "${other}" name different clients.`
  if (clients === undefined) return null
  const client = clientOf(payload)
  if (client !== null && clients.includes(client)) return null
  return 'Its client is not one that JWT_CLIENTS lists.'
}

function nameScopeFault(
  payload: JWTPayload,
  { audience }: TokenSource,
  { scope, pageClient }: TokenRules,
): string | null {
  if (scope !== null && !rightsOf(payload).includes(scope)) {
    return 'None of its "scope", "scp" and "permissions" has the scope that JWT_SCOPE requires.'
  }
  const isForPage = pageClient !== null && pageClient === audience
  const isIdToken = isForPage && scopesOf(payload).length === 0 && payload['roles'] === undefined
  return isIdToken ? 'It has no scope, so it is an ID token: send the access token.' : null
}

/** A user id may be a whole number too: flask-jwt-extended writes one for `create_access_token(7)`. */
function nameUserFault(payload: JWTPayload, claim: string): string | null {
  const value = payload[claim]
  const userId = Number.isSafeInteger(value) ? String(value) : value
  if (typeof userId !== 'string') return `Its "${claim}" is not a string or a whole number.`
  const fault = nameUserIdFault(userId)
  return fault === null ? null : `Its "${claim}" ${fault}.`
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
