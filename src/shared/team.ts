/** The team whose keys a user may use, and how old the proof of that is. */

/** `STALE` is before every time, and `VOUCHED` after. */
export const STALE = ''
export const VOUCHED = '9999'

export interface TeamOfUser {
  /** Its text as an owner. */
  userId: string
  /** When the token was issued, ISO 8601 in UTC; {@link STALE} if it is too old, {@link VOUCHED} if a bound Worker vouches. */
  issuedAt: string
}

/** The team of a use, or why there is none. If the user has no key, the reason is the refusal. */
export interface TeamInUse {
  team: TeamOfUser | null
  teamFault: 'team_required' | 'teams_not_in_token' | null
}
