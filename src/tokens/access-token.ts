/** Verifies an access token, and finds its user id. */

import {
  errors,
  jwtVerify,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  type JWTVerifyResult,
} from 'jose'
import { isBase64url } from '../crypto/base64url.ts'
import { VaultError } from '../errors.ts'
import { nameUserIdFault } from '../shared/user-id.ts'
import { nameKindFault, scopesOf } from './token-kind.ts'
import { keySet, sharedSecret } from './token-keys.ts'
import { KnownTokens } from './known-tokens.ts'

const MAX_TOKEN_LENGTH = 16_384
/** The seconds by which the clock of the token's issuer may differ. */
const LEEWAY_S = 30
/** The last second that an ECMAScript date can hold. A later `exp` would never pass. */
const END_OF_TIME_S = 8.64e12
const SHARED_SECRET_ALGORITHMS = ['HS256']
/** The public-key signatures that Workers can verify (RFC 7518 §3.1, RFC 8037, RFC 9864). */
const KEY_SET_ALGORITHMS =
  'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519'.split(' ')

/** Who issues the tokens, and for which audience. */
export type TokenSource =
  | { kind: 'secret'; secret: string; issuer: string | undefined; audience: string | undefined }
  | { kind: 'key_set'; url: URL; issuer: string; audience: string }

/** What a token must have besides a valid source. */
export interface TokenRules {
  /** The claim that holds the user id. */
  identityClaim: string
  /** A scope that each token must have; null if none is required. */
  scope: string | null
  /** The page's client id if it is also the audience, since then ID tokens have the right audience. */
  pageClient: string | null
}

/** What a valid access token says. */
export interface AccessToken {
  userId: string
  scopes: readonly string[]
  /** The application that got the token: `client_id` (RFC 9068 §2.2) or `azp`; null without one. */
  client: string | null
}

/**
 * Returns what a valid access token says.
 *
 * @throws VaultError `token_invalid`, `token_expired`, `token_keys_unreachable`
 */
export type VerifyToken = (token: string) => Promise<AccessToken>

/** Makes the verifier for a source's tokens, once per isolate. The verifier keeps the source's keys. */
export function tokenVerifier(source: TokenSource, rules: TokenRules): VerifyToken {
  const isSecret = source.kind === 'secret'
  const keys = isSecret ? sharedSecret(source.secret) : keySet(source.url)
  const options: JWTVerifyOptions = {
    algorithms: isSecret ? SHARED_SECRET_ALGORITHMS : KEY_SET_ALGORITHMS,
    requiredClaims: ['exp', rules.identityClaim],
    clockTolerance: LEEWAY_S,
    ...(source.issuer !== undefined && { issuer: source.issuer }),
    ...(source.audience !== undefined && { audience: source.audience }),
  }
  // If a key set loses a key, the tokens of that key must be refused at once.
  const known = isSecret ? new KnownTokens<AccessToken>() : null
  return async (token) => {
    const knownToken = known?.find(token)
    if (knownToken !== undefined) return knownToken
    checkForm(token)
    const verified = await verify(token, keys, options).catch((error: unknown) => {
      throw error instanceof errors.JOSEError ? fromJose(error) : error
    })
    const fault = nameFault(verified, source, rules)
    if (fault !== null) throw refusal(fault)
    const { payload } = verified
    const userId = userIdOf(payload, rules.identityClaim)
    const accessToken = { userId, scopes: scopesOf(payload), client: clientOf(payload) }
    known?.keep(token, accessToken, payload.exp)
    return accessToken
  }
}

function checkForm(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) throw refusal(`It is over ${MAX_TOKEN_LENGTH} characters.`)
  const segments = token.split('.')
  if (segments.length !== 3 || !segments.every(isBase64url)) {
    throw refusal('It is not a JWT in compact form: three base64url parts with dots between them.')
  }
}

/** Verifies as jose does. If the token's header fits several keys of a set, it tries each of them. */
async function verify(token: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    return await jwtVerify(token, keys, options)
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    for await (const key of error) {
      const verified = await jwtVerify(token, key, options).catch(nullIfForged)
      if (verified !== null) return verified
    }
    throw new errors.JWSSignatureVerificationFailed()
  }
}

function nullIfForged(error: unknown): null {
  if (error instanceof errors.JWSSignatureVerificationFailed) return null
  throw error
}

/** A fault that jose has no option for, as a sentence; null if there is none. */
function nameFault(
  { payload, protectedHeader }: JWTVerifyResult,
  { audience }: TokenSource,
  { scope, pageClient }: TokenRules,
): string | null {
  // RFC 7797 §7
  if (protectedHeader.b64 !== undefined)
    return 'Its header has "b64", which is not allowed in a JWT.'
  const { exp = 0, nbf = 0, iat = 0 } = payload
  const timeless = Object.entries({ exp, nbf, iat }).find(
    ([, time]) => Math.abs(time) > END_OF_TIME_S,
  )
  if (timeless !== undefined) return `Its "${timeless[0]}" is not a time in seconds.`
  // RFC 7519 §4.1.3
  if (audience === undefined && hasAudience(payload)) {
    return 'It has an "aud", but this service has no JWT_AUDIENCE to compare it with.'
  }
  const kindFault = nameKindFault(protectedHeader, payload)
  if (kindFault !== null) return kindFault
  const scopes = scopesOf(payload)
  if (scope !== null && !scopes.includes(scope)) {
    return 'Neither its "scope" nor its "scp" has the scope that JWT_SCOPE requires.'
  }
  const isIdToken = pageClient !== null && scopes.length === 0 && payload['roles'] === undefined
  return isIdToken ? 'It has no scope, so it is an ID token: send the access token.' : null
}

/** An empty `aud` or null counts as absent, as in PyJWT. jose does not check its type. */
function hasAudience({ aud }: JWTPayload): boolean {
  const audiences = aud ?? []
  return audiences.length !== 0
}

/** Accepts a whole number too: flask-jwt-extended writes one for `create_access_token(7)`. */
function userIdOf(payload: JWTPayload, claim: string): string {
  const value = payload[claim]
  const userId = Number.isSafeInteger(value) ? String(value) : value
  if (typeof userId !== 'string') throw refusal(`Its "${claim}" is not a string or a whole number.`)
  const fault = nameUserIdFault(userId)
  if (fault !== null) throw refusal(`Its "${claim}" ${fault}.`)
  return userId
}

/** A name that is safe in a log line; null if there is none. */
function clientOf({ client_id, azp }: JWTPayload): string | null {
  const name = client_id ?? azp
  return typeof name === 'string' && /^[!-~]{1,200}$/.test(name) ? name : null
}

function fromJose(error: errors.JOSEError): VaultError {
  if (error instanceof errors.JWTExpired) return refusal('Its "exp" has passed.', 'token_expired')
  if (error instanceof errors.JWTClaimValidationFailed) {
    const fault = REASONS[error.reason] ?? CLAIM_FAULTS[error.claim] ?? 'is wrong'
    return refusal(`Its "${error.claim}" ${fault}.`)
  }
  return refusal(JOSE_FAULTS[error.code] ?? 'It is not a signed JWT.')
}

const REASONS: Record<string, string> = {
  missing: 'is missing',
  invalid: 'is not a number',
}

const CLAIM_FAULTS: Record<string, string> = {
  nbf: 'is in the future',
  iss: 'is not the issuer that this service trusts',
  aud: 'does not name this service',
}

const JOSE_FAULTS: Record<string, string> = {
  [errors.JWSSignatureVerificationFailed.code]:
    'Its signature does not verify: another key signed it, or it was changed later.',
  [errors.JOSEAlgNotAllowed.code]: 'Its "alg" is not one that this service accepts.',
  [errors.JWKSNoMatchingKey.code]: 'Its "kid" and "alg" match no key of the identity provider.',
}

function refusal(
  detail: string,
  code: 'token_invalid' | 'token_expired' = 'token_invalid',
): VaultError {
  return new VaultError(code, { detail })
}
