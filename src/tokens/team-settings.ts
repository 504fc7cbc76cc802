/** The settings for teams: which claims of a token name the teams of its user. */

import * as z from 'zod/mini'
import {
  exactText,
  orNull,
  wholeNumber,
  withDefault,
  type Refuse,
  type Values,
} from '../shared/variable.ts'

/** Which claims name the teams, by their exact names or as paths. */
export interface TeamRules {
  /** Has the id of one team, or a list of ids. */
  claim: string
  /** What a token has if its user administers the one team that {@link claim} names; null if nobody does. */
  admin: { claim: string; value: string } | null
  /** Has the ids of those teams of the list that the user administers; null if nobody administers one. */
  adminClaim: string | null
  /** How many seconds a token counts for teams. */
  maxAgeS: number
}

/** What a user edits without an admin: `user_metadata` at Supabase and Auth0, `unsafe_metadata` at Clerk. */
const USER_EDITED = /(?:^|[./:])(?:user|unsafe)_metadata(?:$|[./:])/i

const claimName = exactText.check(
  z.refine(
    (name) => !USER_EDITED.test(name),
    'is in user_metadata or unsafe_metadata, which users edit themselves: choose a claim that they cannot edit',
  ),
)

const teamAdmin = z.pipe(
  claimName.check(z.regex(/^[^=]*[^=\s]=\S/, 'must be claim=value: org_role=admin')),
  z.transform((text) => {
    const at = text.indexOf('=')
    return { claim: text.slice(0, at), value: text.slice(at + 1) }
  }),
)

const MAX_AGE_S = 30 * 86_400

const seconds = wholeNumber(
  (text) => /^[1-9]\d{0,6}$/.test(text) && Number(text) <= MAX_AGE_S,
  `must be a number of seconds from 1 to ${MAX_AGE_S}`,
)

/** The variables for the teams in tokens. */
export const teamVariables = {
  JWT_TEAM_CLAIM: orNull(claimName),
  JWT_TEAM_ADMIN: orNull(teamAdmin),
  JWT_TEAM_ADMIN_CLAIM: orNull(claimName),
  TEAM_TOKEN_MAX_AGE_S: withDefault(seconds, 3_600),
}

type TeamEnvironment = Values<typeof teamVariables>

/** Which claims name teams; null if none do. */
export function readTeamRules(
  env: TeamEnvironment,
  refuse: Refuse<keyof TeamEnvironment>,
): TeamRules | null {
  const { JWT_TEAM_CLAIM: claim, JWT_TEAM_ADMIN: admin, JWT_TEAM_ADMIN_CLAIM: adminClaim } = env
  if (claim === null) {
    if (admin !== null) refuse('JWT_TEAM_ADMIN', 'needs JWT_TEAM_CLAIM')
    if (adminClaim !== null) refuse('JWT_TEAM_ADMIN_CLAIM', 'needs JWT_TEAM_CLAIM')
    return null
  }
  if (adminClaim === claim) {
    refuse('JWT_TEAM_ADMIN_CLAIM', 'must not be JWT_TEAM_CLAIM: each member would be an admin')
  }
  return { claim, admin, adminClaim, maxAgeS: env.TEAM_TOKEN_MAX_AGE_S }
}
