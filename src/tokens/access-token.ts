/** Verifies an access token, and finds its user id. */

import {
  decodeProtectedHeader,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  type JWTVerifyResult,
} from 'jose'
import {
  JOSEError,
  JWKSMultipleMatchingKeys,
  JWKSNoMatchingKey,
  JWSSignatureVerificationFailed,
  JWTClaimValidationFailed,
  JWTExpired,
} from 'jose/errors'
import { isBase64url } from '../crypto/base64url.ts'
import { VaultError } from '../errors.ts'
import type { ServerGrant } from '../shared/caller.ts'
import { KnownTokens } from './known-tokens.ts'
import { openPublicKeys, PUBLIC_KEY_ALGORITHMS } from './public-key.ts'
import { LEEWAY_S, teamsOf, type TokenTeams } from './team-claims.ts'
import { clientOf, grantsOf, nameFault, nameUserFault, rightsOf, userIdOf } from './token-claims.ts'
import { decodedSecret, isSignedBy, keySet, sharedSecret } from './token-keys.ts'
import type { TokenRules, TokenSource } from './token-settings.ts'

const MAX_TOKEN_LENGTH = 16_384
const SECRET_ALGORITHMS = ['HS256']

/** What a valid access token says. */
export interface AccessToken {
  /** The user that it names; null if it names none. Only {@link requireUser} says that the token is a user's. */
  userId: string | null
  /** Why it is not a user's token, but only a server's; null if it is a user's. */
  userFault: string | null
  /** What it may do for all users. */
  grants: readonly ServerGrant[]
  /** `scope`, `scp` and `permissions`. */
  scopes: readonly string[]
  /** The application that got the token: its `client_id`, `azp`, `cid` or `appid`; null without one. */
  client: string | null
  /** The teams of its user. Whether it is too old to speak for them depends on the time of its use. */
  teams: TokenTeams
}

/** The user whose token it is. @throws VaultError `token_invalid` for a token that is only a server's */
export function requireUser({ userId, userFault }: AccessToken): string {
  if (userId === null || userFault !== null) throw refusal(userFault ?? 'It does not name a user.')
  return userId
}

/**
 * Returns what a valid access token says.
 *
 * @throws VaultError `token_invalid`, `token_expired`, `token_keys_unreachable`, `server_misconfigured`
 */
export type VerifyToken = (token: string) => Promise<AccessToken>

/** A source, and how its tokens are verified. Only its own algorithms reach its keys. */
interface Issuer {
  source: TokenSource
  algorithms: readonly string[]
  verify: (token: string) => Promise<JWTVerifyResult>
}

/**
 * Makes the verifier for the tokens of several sources, once per isolate. The `alg` of a token chooses its source
 * before any key is looked at (RFC 8725 §3.1), so that a public key never serves as a secret.
 *
 * @throws VaultError `server_misconfigured` if a public key is wrong
 */
export async function tokenVerifier(
  sources: readonly TokenSource[],
  rules: TokenRules,
): Promise<VerifyToken> {
  const issuers = await Promise.all(sources.map(openSource))
  const known = new KnownTokens<AccessToken>()
  return async (token) => {
    const knownToken = known.find(token)
    if (knownToken !== undefined) return knownToken
    checkForm(token)
    const alg = algorithmOf(token)
    const issuer = issuers.find(({ algorithms }) => algorithms.includes(alg))
    if (issuer === undefined) throw refusal('Its "alg" is not one that this service accepts.')
    const { source, verify } = issuer
    const verified = await verify(token)
    const { payload } = verified
    const fault = nameFault(verified, source, rules)
    const userFault = nameUserFault(payload, rules)
    const grants = grantsOf(payload, rules)
    const refused = fault ?? (grants.length === 0 ? userFault : null)
    if (refused !== null) throw refusal(refused)
    const accessToken = {
      userId: userIdOf(payload, rules),
      userFault,
      grants,
      scopes: rightsOf(payload),
      client: clientOf(payload),
      teams: teamsOf(payload, rules.teams),
    }
    // If a key set loses a key, the tokens of that key must be refused at once.
    if (source.kind !== 'key_set') known.keep(token, accessToken, payload.exp)
    return accessToken
  }
}

async function openSource(source: TokenSource): Promise<Issuer> {
  const { issuer, tenants, audience } = source
  const { keys, algorithms } = await keysOf(source)
  const options: JWTVerifyOptions = {
    algorithms: [...algorithms],
    requiredClaims: ['exp'],
    clockTolerance: LEEWAY_S,
    ...(tenants === undefined && issuer !== undefined && { issuer }),
    ...(audience !== undefined && { audience }),
  }
  async function verify(token: string): Promise<JWTVerifyResult> {
    try {
      return await verifyWith(token, keys, options)
    } catch (error) {
      throw error instanceof JOSEError ? fromJose(error) : error
    }
  }
  return { source, algorithms, verify }
}

async function keysOf(source: TokenSource): ReturnType<typeof openPublicKeys> {
  if (source.kind === 'secret') {
    return { keys: secretKeys(source.secret), algorithms: SECRET_ALGORITHMS }
  }
  if (source.kind === 'public_keys') return openPublicKeys(source.keys)
  const keys = keySet(source.url, source.tenants !== undefined)
  return { keys, algorithms: PUBLIC_KEY_ALGORITHMS }
}

/**
 * The key of a shared secret, for the tokens that it signed. jose then checks the signature again. If jose alone checked it, a
 * forged token would take 40 µs more, because jose's error captures a stack.
 */
function secretKeys(secret: string): JWTVerifyGetKey {
  const [own, decoded] = [sharedSecret(secret), decodedSecret(secret)]
  return async (_header, token) => {
    const key = await own()
    if (await isSignedBy(token, key)) return key
    const isDecoded = decoded !== null && (await isSignedBy(token, await decoded()))
    throw refusal(isDecoded ? DECODED_SECRET : FORGED)
  }
}

function checkForm(token: string): void {
  if (token.length > MAX_TOKEN_LENGTH) throw refusal(`It is over ${MAX_TOKEN_LENGTH} characters.`)
  const segments = token.split('.')
  if (segments.length === 5) throw refusal(ENCRYPTED)
  if (segments.length !== 3 || !segments.every(isBase64url)) {
    throw refusal('It is not a JWT in compact form: three base64url parts with dots between them.')
  }
}

/** The `alg` of the header, which nothing proves yet. */
function algorithmOf(token: string): string {
  try {
    const { alg } = decodeProtectedHeader(token)
    if (typeof alg === 'string' && alg !== '') return alg
  } catch {
    // The header is not a JSON object.
  }
  throw refusal(NOT_SIGNED)
}

/** Verifies as jose does. If the token's header fits several keys, it tries each of them. */
async function verifyWith(token: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions) {
  try {
    return await jwtVerify(token, keys, options)
  } catch (error) {
    if (!(error instanceof JWKSMultipleMatchingKeys)) throw error
    for await (const key of error) {
      const verified = await jwtVerify(token, key, options).catch(nullIfForged)
      if (verified !== null) return verified
    }
    throw new JWSSignatureVerificationFailed()
  }
}

function nullIfForged(error: unknown): null {
  if (error instanceof JWSSignatureVerificationFailed) return null
  throw error
}

function fromJose(error: JOSEError): VaultError {
  if (error instanceof JWTExpired) return refusal('Its "exp" has passed.', 'token_expired')
  if (error instanceof JWTClaimValidationFailed) {
    const fault = REASONS[error.reason] ?? CLAIM_FAULTS[error.claim] ?? 'is wrong'
    return refusal(`Its "${error.claim}" ${fault}.`)
  }
  return refusal(JOSE_FAULTS[error.code] ?? NOT_SIGNED)
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

const FORGED = 'Its signature does not verify: another key signed it, or it was changed later.'

const JOSE_FAULTS: Record<string, string> = {
  [JWSSignatureVerificationFailed.code]: FORGED,
  [JWKSNoMatchingKey.code]: 'Its "kid" and "alg" match no key of the identity provider.',
}

const NOT_SIGNED = 'It is not a signed JWT.'

/** RFC 7516 §3.1 */
const ENCRYPTED =
  'It has five parts, so it is encrypted (JWE): ask the identity provider for a token for this API, by its audience.'

/** Only a token that the secret signed gets this answer, so it tells nothing to anybody who guesses. */
const DECODED_SECRET =
  'Its issuer decoded JWT_SECRET_KEY from base64 before signing: have it sign with the text as it is.'

function refusal(
  detail: string,
  code: 'token_invalid' | 'token_expired' = 'token_invalid',
): VaultError {
  return new VaultError(code, { detail })
}
