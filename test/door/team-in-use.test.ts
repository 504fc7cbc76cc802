import { describe, expect, it } from 'vitest'
import { teamInUse } from '../../src/door/team-in-use.ts'
import { VaultError } from '../../src/errors.ts'
import { STALE, VOUCHED } from '../../src/shared/team.ts'
import type { TokenTeams } from '../../src/tokens/team-claims.ts'

const RULES = { claim: 'teams', admin: null, adminClaim: null, maxAgeS: 3_600 }
const nowS = () => Math.floor(Date.now() / 1_000)

/** The team that a token with these teams and a request with this header have, or the code of the refusal. */
function teamOf(ids: readonly string[], header?: string, changes: Partial<TokenTeams> = {}) {
  const teams = ids.map((id) => ({ id, isAdmin: false }))
  const sent = new Headers(header === undefined ? {} : { 'X-Vault-Team': header })
  try {
    const token = { teams, isMissing: false, issuedAt: nowS(), ...changes }
    const { team, teamFault } = teamInUse(token, RULES, sent)
    return team?.userId ?? teamFault
  } catch (error) {
    return VaultError.from(error).code
  }
}

describe('the team of a use', () => {
  it.for<[name: string, ids: string[], header: string | undefined, team: string | null]>([
    ['no team', [], undefined, null],
    ['the only one', ['acme'], undefined, 'team:acme'],
    ['one of several without a name', ['acme', 'b'], undefined, 'team_required'],
    ['the one that is named', ['acme', 'b'], 'b', 'team:b'],
    ['one that is named percent-encoded', ['a b/é'], 'a%20b%2F%C3%A9', 'team:a b/é'],
    ['one that the token lacks', ['acme'], 'b', 'not_your_own'],
    ['one in another case', ['acme'], 'ACME', 'not_your_own'],
    ['one that a token without teams names', [], 'acme', 'not_your_own'],
    ['a name that is not percent-encoded', ['%'], '%', 'not_your_own'],
    ['an empty name', ['acme'], '', 'not_your_own'],
  ])('%s', ([, ids, header, team]) => {
    expect(teamOf(ids, header)).toBe(team)
  })

  it('no team is known if the token leaves the teams out', () => {
    expect(teamOf([], undefined, { isMissing: true })).toBe('teams_not_in_token')
    expect(teamOf([], 'acme', { isMissing: true })).toBe('teams_not_in_token')
  })

  it.for<[issuedAt: number | null, since: string]>([
    [null, STALE],
    [nowS() - 7_200, STALE],
    [nowS() + 7_200, STALE],
    [nowS() - 60, new Date((nowS() - 60) * 1_000).toISOString()],
  ])('a token from %j counts for its team since %j', ([issuedAt, since]) => {
    const teams = [{ id: 'acme', isAdmin: false }]
    const { team } = teamInUse({ teams, isMissing: false, issuedAt }, RULES, new Headers())
    expect(team?.issuedAt).toBe(since)
  })
})

it('the time of a stale token is before all others, and that of a bound Worker after them', () => {
  expect([VOUCHED, '2026-11-30T00:00:00.000Z', STALE].toSorted()[0]).toBe(STALE)
  expect([VOUCHED, '2026-11-30T00:00:00.000Z', STALE].toSorted()[2]).toBe(VOUCHED)
})
