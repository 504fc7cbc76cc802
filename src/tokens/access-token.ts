/** Bearer token → user id, and nobody but that user: 401, then 403, then 429. */

import { createMiddleware } from 'hono/factory'
import { errors, jwtVerify, type JWTVerifyResult } from 'jose'
import { isBase64url } from '../crypto/base64url.ts'
import { readConfig, type Config } from '../settings.ts'
import { ApiError, type ErrorCode } from '../errors.ts'
import { tokenKeys } from './token-keys.ts'

const MAX_TOKEN_LENGTH = 16_384
/** Tokens are dated by another machine: clocks may differ by so many seconds. */
const LEEWAY_S = 30
const SHARED_SECRET_ALGORITHMS = ['HS256']
const KEY_SET_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA']

/** Sets `userId` where the token is valid, names the `:userId` of the path, and is within its rate. */
export function onlyYourOwn(action: 'access' | 'update' | 'delete') {
  return createMiddleware<{ Bindings: Env; Variables: { userId: string } }>(async (c, next) => {
    const config = readConfig(c.env)
    const userId = await verifyToken(bearerToken(c.req.header('Authorization')), config)
    if (c.req.param('userId') !== userId) {
      throw new ApiError('not_your_own', { error: `Unauthorized to ${action} this user's API key` })
    }
    const { success } = await config.RATE_LIMITER.limit({ key: userId })
    if (!success) throw new ApiError('rate_limited', { headers: { 'Retry-After': '60' } })
    c.set('userId', userId)
    await next()
  })
}

/** The token of an Authorization header (RFC 6750 §2.1). */
function bearerToken(authorization: string | undefined): string {
  const [, scheme, token] = /^(\S+) *(.*)$/.exec(authorization ?? '') ?? []
  if (scheme?.toLowerCase() === 'bearer' && token) return token
  const detail = scheme
    ? 'The Authorization header must be "Bearer", a space and the token.'
    : 'There is no Authorization header.'
  throw new ApiError('token_missing', { detail, headers: { 'WWW-Authenticate': 'Bearer' } })
}

/**
 * The `sub` of a valid access token.
 *
 * @throws ApiError `token_invalid`, `token_expired`, `token_keys_unreachable`
 */
export async function verifyToken(token: string, config: Config): Promise<string> {
  if (token.length > MAX_TOKEN_LENGTH) throw refusal(`It is over ${MAX_TOKEN_LENGTH} characters.`)
  const segments = token.split('.')
  if (segments.length !== 3 || !segments.every(isBase64url)) {
    throw refusal('It is not a JWT in compact form: three base64url parts with dots between them.')
  }
  const { payload, protectedHeader } = await jwtVerify(token, tokenKeys(config), {
    algorithms: config.JWT_JWKS_URL ? KEY_SET_ALGORITHMS : SHARED_SECRET_ALGORITHMS,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: LEEWAY_S,
    ...(config.JWT_ISSUER !== undefined && { issuer: config.JWT_ISSUER }),
    ...(config.JWT_AUDIENCE !== undefined && { audience: config.JWT_AUDIENCE }),
  }).catch((error: unknown) => {
    throw error instanceof errors.JOSEError ? fromJose(error) : error
  })
  checkUse({ payload, protectedHeader })
  if (typeof payload.sub === 'string' && payload.sub !== '') return payload.sub
  throw refusal('Its "sub" is not a string with the user id.')
}

/** What jose has no option for: RFC 7797 §7, and the refresh tokens of flask-jwt-extended. */
function checkUse({ payload, protectedHeader }: JWTVerifyResult): void {
  if (protectedHeader.b64 !== undefined) {
    throw refusal('Its header has "b64", which no JWT may have.')
  }
  if (payload['type'] !== undefined && payload['type'] !== 'access') {
    throw refusal('Its "type" is not "access": send the access token, not a refresh token.')
  }
}

function fromJose(error: errors.JOSEError): ApiError {
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

function refusal(detail: string, code: ErrorCode = 'token_invalid'): ApiError {
  const headers = { 'WWW-Authenticate': 'Bearer error="invalid_token"' }
  return new ApiError(code, { detail, headers })
}
