/** Access token → user id. */

import { errors, jwtVerify, type JWTVerifyOptions, type JWTVerifyResult } from 'jose'
import { isBase64url } from '../crypto/base64url.ts'
import { VaultError } from '../errors.ts'
import { keySet, sharedSecret } from './token-keys.ts'

const MAX_TOKEN_LENGTH = 16_384
/** Tokens are dated by another machine: clocks may differ by so many seconds. */
const LEEWAY_S = 30
const SHARED_SECRET_ALGORITHMS = ['HS256']
const KEY_SET_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** Who issues the tokens, and which ones this service accepts. */
export type TokenSource =
  | { kind: 'secret'; secret: string; issuer: string | undefined; audience: string | undefined }
  | { kind: 'key_set'; url: URL; issuer: string; audience: string }

/**
 * The user id (`sub`) of a valid access token.
 *
 * @throws VaultError `token_invalid`, `token_expired`, `token_keys_unreachable`
 */
export type VerifyToken = (token: string) => Promise<string>

/** The check of a source's tokens. It keeps the source's keys, so that it is made once per isolate. */
export function tokenVerifier(source: TokenSource): VerifyToken {
  const isSecret = source.kind === 'secret'
  const keys = isSecret ? sharedSecret(source.secret) : keySet(source.url)
  const options: JWTVerifyOptions = {
    algorithms: isSecret ? SHARED_SECRET_ALGORITHMS : KEY_SET_ALGORITHMS,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: LEEWAY_S,
    ...(source.issuer !== undefined && { issuer: source.issuer }),
    ...(source.audience !== undefined && { audience: source.audience }),
  }
  return async (token) => {
    checkForm(token)
    const verified = await jwtVerify(token, keys, options).catch((error: unknown) => {
      throw error instanceof errors.JOSEError ? fromJose(error) : error
    })
    return subjectOf(verified)
  }
}

function checkForm(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) throw refusal(`It is over ${MAX_TOKEN_LENGTH} characters.`)
  const segments = token.split('.')
  if (segments.length !== 3 || !segments.every(isBase64url)) {
    throw refusal('It is not a JWT in compact form: three base64url parts with dots between them.')
  }
}

/** Checks what jose has no option for: RFC 7797 §7, and the refresh tokens of flask-jwt-extended. */
function subjectOf({ payload, protectedHeader }: JWTVerifyResult): string {
  if (protectedHeader.b64 !== undefined) {
    throw refusal('Its header has "b64", which no JWT may have.')
  }
  if (payload['type'] !== undefined && payload['type'] !== 'access') {
    throw refusal('Its "type" is not "access": send the access token, not a refresh token.')
  }
  if (typeof payload.sub === 'string' && payload.sub !== '') return payload.sub
  throw refusal('Its "sub" is not a string with the user id.')
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
  nbf: 'has not come yet',
  iss: 'is not the issuer that this service trusts',
  aud: 'does not name this service',
}

const JOSE_FAULTS: Record<string, string> = {
  [errors.JWSSignatureVerificationFailed.code]:
    'Its signature does not verify: it was signed with another key, or changed since.',
  [errors.JOSEAlgNotAllowed.code]: 'Its "alg" is not one that this service accepts.',
  [errors.JWKSNoMatchingKey.code]: 'Its "kid" and "alg" match no key of the identity provider.',
  [errors.JWKSMultipleMatchingKeys.code]: 'It has no "kid", and several keys match its "alg".',
}

function refusal(
  detail: string,
  code: 'token_invalid' | 'token_expired' = 'token_invalid',
): VaultError {
  return new VaultError(code, { detail })
}
