/** Signs access tokens with the shared secret `JWT_SECRET_KEY`. */

import { SignJWT, type JWTPayload } from 'jose'

/** Signs a token with `claims` (RFC 7519 §4.1). Without an `exp` it is valid for an hour. */
export async function signToken(claims: JWTPayload, secret: string): Promise<string> {
  return new SignJWT({ exp: inSeconds(3_600), ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(secret))
}

/** The NumericDate (RFC 7519 §2) `seconds` from now. */
export function inSeconds(seconds: number): number {
  return Math.floor(Date.now() / 1_000) + seconds
}
