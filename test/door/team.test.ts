/** Why a token does not open a team, and how a member's requests are counted. */

import { expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { admin, ask, member, server, someTeamId, TEAMS } from '../http/team-calls.ts'

it('authorizeTeam tells why a token is refused', async () => {
  const teamId = someTeamId()
  const details = [
    await ask('getTeam', teamId, member('other')),
    await ask('changeTeam', teamId, member(teamId)),
    await ask('getTeam', teamId, member(teamId, 'max', { iat: inSeconds(-4_000) })),
  ].map(({ body }) => body['detail'])
  expect(details).toEqual([
    'The token does not say that its user is in this team.',
    'The token does not say that its user is an admin of this team.',
    'The keys of a team need a newer token: TEAM_TOKEN_MAX_AGE_S limits its age.',
  ])
})

it('authorizeTeam counts the requests of a member under the user, whatever the team', async () => {
  const keys: string[] = []
  const limit = async ({ key }: RateLimitOptions) => {
    keys.push(key)
    return { success: false }
  }
  const vars = { ...TEAMS, RATE_LIMITER: { limit } }
  const { answer, trips } = await ask('getTeam', 'acme', member('acme', 'team:x'), { vars })
  expect([answer, trips, keys]).toEqual(['429 rate_limited', 0, ['~team:x']])
})

it('authorizeTeam lets a server in as a server, also if its token names the team', async () => {
  const teamId = someTeamId()
  await ask('saveTeamSlot', teamId, admin(teamId))
  const organization = { groups: [teamId], iat: inSeconds(0) }
  const asOf = async (claims: object) => (await ask('listTeamSlots', teamId, claims)).answer
  expect([
    await asOf({ ...server('vault:support'), ...organization }),
    await asOf({ ...server('vault:users'), ...organization }),
  ]).toEqual(['200', '403 scope_missing'])
})
