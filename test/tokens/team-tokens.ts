/** Tokens with teams as issuers write them, and vaults that accept them. */

import { inSeconds } from '../../scripts/lib/token.ts'
import type { TeamClaim } from '../../src/tokens/team-claims.ts'
import { byKey, KEY_SET_URL } from './token-sources.ts'
import type { SigningKey } from './signing-keys.ts'
import vectors from './vectors/teams.json'

/** A token of somebody. */
interface TeamToken {
  /** Who has it: `an admin`, `a member`, `another team`, … */
  of: string
  /** What the issuer writes for this user, over the claims of all. */
  claims: object
  teams: readonly TeamClaim[]
  /** Which of several teams it is about. */
  team?: string
  isMissing?: boolean
}

/** An issuer, and what a vault sets for it beside {@link KEY_SET}. */
export interface TeamIssuer {
  name: string
  vars: Partial<Env>
  claims: object
  tokens: readonly TeamToken[]
}

export const TEAM_ISSUERS: readonly TeamIssuer[] = vectors.issuers

/** The keys of each issuer. */
export const KEY_SET = { JWT_SECRET_KEY: '', JWT_JWKS_URL: KEY_SET_URL }

/** Signs a token that was issued `age` seconds ago, and ends in ten minutes. */
export async function tokenOf(
  { claims }: TeamIssuer,
  token: TeamToken,
  key: SigningKey,
  age = 0,
): Promise<string> {
  const times = { iat: inSeconds(-age), nbf: inSeconds(-age), exp: inSeconds(600) }
  return byKey(key)({ ...claims, ...token.claims, ...times })
}
