/** Reads from a token which teams its user is in. */

import type { JWTPayload } from 'jose'
import { VaultError } from '../errors.ts'
import { isJsonObject } from '../shared/json.ts'
import { nameUserIdFault } from '../shared/user-id.ts'
import type { TeamRules } from './team-settings.ts'

/** The seconds by which the clock of the token's issuer may differ. */
export const LEEWAY_S = 30

/** A team of the token's user. */
export interface TeamClaim {
  id: string
  isAdmin: boolean
}

/** What a token says of teams. */
export interface TokenTeams {
  teams: readonly TeamClaim[]
  /** Whether the issuer left the teams out, because there are too many of them for a token. */
  isMissing: boolean
  /** Its `iat`, in seconds; null if it has none. */
  issuedAt: number | null
}

/**
 * The teams of a token's user.
 *
 * @throws VaultError `token_invalid` if a claim has an id that no team can have
 */
export function teamsOf(payload: JWTPayload, rules: TeamRules | null): TokenTeams {
  const issuedAt = payload.iat ?? null
  if (rules === null) return { teams: [], isMissing: false, issuedAt }
  const { claim, admin, adminClaim } = rules
  const ids = textsOf(payload, claim)
  const hasRole = admin !== null && textsOf(payload, admin.claim).includes(admin.value)
  const administered = adminClaim === null ? null : textsOf(payload, adminClaim)
  // A role in one team says nothing of the others, so it makes nobody an admin of a list.
  const isList = Array.isArray(readClaim(payload, claim))
  const isAdmin = (id: string) => (isList ? (administered?.includes(id) ?? false) : hasRole)
  const teams = [...new Set(ids)].map((id) => ({ id, isAdmin: isAdmin(id) }))
  return { teams, isMissing: isLeftOut(payload, claim), issuedAt }
}

/**
 * Whether a token is too old to speak for teams: whoever leaves a team still has the token. A token without `iat`, or from
 * the future, counts as too old. `now` is in milliseconds.
 */
export function isStale(
  { issuedAt }: Pick<TokenTeams, 'issuedAt'>,
  maxAgeS: number,
  now = Date.now(),
): boolean {
  if (issuedAt === null) return true
  const age = now / 1_000 - issuedAt
  return age > maxAgeS || age < -LEEWAY_S
}

/** The value of the claim of this exact name, or otherwise at this path through objects; undefined without one. */
export function readClaim(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name]
  return name.split('.').reduce<unknown>((found, part) => {
    return isJsonObject(found) && Object.hasOwn(found, part) ? found[part] : undefined
  }, payload)
}

/** The text of a claim, or each of its list. What is neither, and an empty text, counts as absent. */
function textsOf(payload: JWTPayload, name: string): string[] {
  const value = readClaim(payload, name)
  if (Array.isArray(value)) return value.map((item) => checkText(item, `An item of its "${name}"`))
  return typeof value === 'string' && value !== '' ? [checkText(value, `Its "${name}"`)] : []
}

/** A team's id has the rules of a user's. */
function checkText(text: unknown, subject: string): string {
  if (typeof text !== 'string') throw invalid(`${subject} is not a string.`)
  const fault = nameUserIdFault(text)
  if (fault !== null) throw invalid(`${subject} ${fault}.`)
  return text
}

function invalid(detail: string): VaultError {
  return new VaultError('token_invalid', { detail })
}

/**
 * Whether a token says that its claim is elsewhere: OpenID Connect Core 1.0 §5.6.2, and
 * https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference#groups-overage-claim
 */
function isLeftOut(payload: JWTPayload, claim: string): boolean {
  if ((readClaim(payload, claim) ?? null) !== null) return false
  const { _claim_names: elsewhere, hasgroups } = payload
  const names = [claim, ...claim.split('.', 1)]
  const isNamed = isJsonObject(elsewhere) && names.some((name) => Object.hasOwn(elsewhere, name))
  return isNamed || (claim === 'groups' && hasgroups === true)
}
