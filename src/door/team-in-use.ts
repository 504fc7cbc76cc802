/** Which team's keys a use may take, as its token and the header `X-Vault-Team` say. */

import { VaultError } from '../errors.ts'
import { teamOwner } from '../shared/owner.ts'
import { STALE, type TeamInUse } from '../shared/team.ts'
import { decodeHeader, TEAM_HEADER } from '../shared/vault-headers.ts'
import { isStale, type TokenTeams } from '../tokens/team-claims.ts'
import type { TeamRules } from '../tokens/team-settings.ts'

/**
 * The team that the request names. If it names none, it is the only team of the token; null if the token has several.
 *
 * @throws VaultError `not_your_own` if the token does not have the team, `teams_not_in_token`
 */
export function teamInUse(
  { teams, isMissing, issuedAt }: TokenTeams,
  rules: TeamRules | null,
  sent: Headers,
): TeamInUse {
  const named = sent.get(TEAM_HEADER)
  const found = named === null ? teams : teams.filter(({ id }) => id === decodeHeader(named))
  const [team] = found
  if (team === undefined && isMissing && named !== null) throw new VaultError('teams_not_in_token')
  if (team === undefined && named !== null) throw new VaultError('not_your_own', { detail: OTHER })
  if (team === undefined || rules === null) {
    return { team: null, teamFault: isMissing ? 'teams_not_in_token' : null }
  }
  if (found.length > 1) return { team: null, teamFault: 'team_required' }
  const isOld = issuedAt === null || isStale({ issuedAt }, rules.maxAgeS)
  const since = isOld ? STALE : new Date(issuedAt * 1_000).toISOString()
  return { team: { userId: teamOwner(team.id), issuedAt: since }, teamFault: null }
}

const OTHER = `The token does not have the team that ${TEAM_HEADER} names.`
