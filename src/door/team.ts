/** Who may come in to a team's routes: its members and admins, as their tokens say, and servers. */

import { VaultError } from '../errors.ts'
import { requireRate } from '../rate.ts'
import type { Service } from '../service.ts'
import { userOwner } from '../shared/owner.ts'
import type { Route } from '../shared/routes.ts'
import { requireUser, type AccessToken } from '../tokens/access-token.ts'
import { isStale } from '../tokens/team-claims.ts'
import type { TokenRules } from '../tokens/token-settings.ts'
import { checkToken } from './address.ts'
import { authorizeServer, isServers, NOT_FOR_USERS, requestToken } from './authorize.ts'

/** A member of the team, by their token. */
export interface TeamMember {
  /** The text of the user. */
  member: string
  isAdmin: boolean
  /** When the token was issued: ISO 8601 in UTC. */
  issuedAt: string
}

/** A route of a team, and whose tokens it takes. */
interface TeamRoute {
  teamId: string
  tokens: Route['tokens']
}

/**
 * Lets a member, an admin or a server through to the keys of the team. It returns the member, or the name of the server. A
 * user's token that names the team is a member's, whatever its scopes.
 *
 * @throws VaultError `not_found` if the settings let nobody use the route, `token_missing`,
 * `token_invalid`, `token_expired`, `token_keys_unreachable`, `teams_not_in_token`, `not_your_own`, `scope_missing`,
 * `rate_limited`, `unhealthy`, `invalid_argument`
 */
export async function authorizeTeam(
  service: Service,
  sent: Headers,
  route: TeamRoute,
): Promise<string | TeamMember> {
  const { tokenHeader, tokenRules, rateLimiter } = service.settings
  const { teamId, tokens } = route
  const isForMembers = tokens.includes('member') || tokens.includes('admin')
  const hasTeams = isForMembers && tokenRules.teams !== null
  if (tokenRules.servers === null && !hasTeams) throw new VaultError('not_found')
  const { token, user } = await checkToken(service, sent, {
    readToken: () => requestToken(sent, tokenHeader),
    check: (found) => ({ token: found, user: userOf(found, teamId, tokenRules) }),
  })
  const isInTeam = findTeam(token, teamId) !== undefined
  if (user === null || (!isForMembers && !isInTeam)) {
    return authorizeServer(service, token, { owner: { kind: 'team', id: teamId }, tokens })
  }
  const isAdmin = requireRole(token, route)
  await requireRate(rateLimiter, user.member)
  return { ...user, isAdmin }
}

function findTeam({ teams }: AccessToken, teamId: string) {
  return teams.teams.find(({ id }) => id === teamId)
}

/** The user of the token; null if it is a server's. @throws VaultError `not_found`, `token_invalid`, `token_expired` */
function userOf(
  token: AccessToken,
  teamId: string,
  { servers, teams }: TokenRules,
): Omit<TeamMember, 'isAdmin'> | null {
  // Auth0 puts an organization into the tokens of its servers too.
  const isUsers = findTeam(token, teamId) !== undefined && token.userFault === null
  if (!isUsers && isServers(token, servers)) return null
  if (teams === null) throw new VaultError('not_found')
  const userId = requireUser(token)
  const { issuedAt } = token.teams
  if (issuedAt === null || isStale(token.teams, teams.maxAgeS)) {
    throw new VaultError('token_expired', { detail: TOO_OLD })
  }
  return { member: userOwner(userId), issuedAt: new Date(issuedAt * 1_000).toISOString() }
}

const TOO_OLD = 'The keys of a team need a newer token: TEAM_TOKEN_MAX_AGE_S limits its age.'

/** Whether the user is an admin. @throws VaultError `scope_missing`, `teams_not_in_token`, `not_your_own` */
function requireRole(token: AccessToken, { teamId, tokens }: TeamRoute): boolean {
  const isForMembers = tokens.includes('member') || tokens.includes('admin')
  if (!isForMembers) throw new VaultError('scope_missing', { detail: NOT_FOR_USERS })
  if (token.teams.isMissing) throw new VaultError('teams_not_in_token')
  const team = findTeam(token, teamId)
  if (team === undefined) throw new VaultError('not_your_own', { detail: NOT_IN_TEAM })
  if (!team.isAdmin && !tokens.includes('member')) {
    throw new VaultError('not_your_own', { detail: NOT_ADMIN })
  }
  return team.isAdmin
}

const NOT_IN_TEAM = 'The token does not say that its user is in this team.'
const NOT_ADMIN = 'The token does not say that its user is an admin of this team.'
