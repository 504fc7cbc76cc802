/** Which key a use takes: the main rules of docs/named-keys.md and docs/teams.md. */

import { beforeEach, expect, it } from 'vitest'
import { stopClock } from '../support.ts'
import type { Case, Keys, State } from './use-rules.ts'
import { playAll } from './use-world.ts'

beforeEach(stopClock)

const ALONE: Keys = [['openai', 'active']]
const one = (state: State): Keys => [['openai', state]]
const two = (first: State, second: State): Keys => [
  ['openai:work', first],
  ['openai', second],
]
const MEMBER = 'a token with one team'
const BOUND = 'a binding with the team'
const OLD = 'a token from before tokens_since'

const own = (keys: Keys, others: Partial<Case> = {}): Case => ({
  asker: MEMBER,
  own: keys,
  teams: ALONE,
  ...others,
})
const teams = (keys: Keys, others: Partial<Case> = {}): Case => own([], { teams: keys, ...others })

it.for<[what: string, of: Case, result: string]>([
  ['the first of two keys', own(two('unverified', 'active')), 'own openai:work'],
  ['the key after a paused one', own(two('paused', 'unverified')), 'own openai'],
  ['the key after one at its maximum', own(two('at its maximum', 'rejected')), 'own openai'],
  [
    'the key after one that has just run out of credit',
    own(two('out of credit for 10 minutes', 'active')),
    'own openai',
  ],
  [
    'a key that ran out of credit long ago',
    own(two('out of credit for 2 hours', 'active')),
    'own openai:work',
  ],
  [
    'a key without credit before a rejected one',
    own(two('rejected', 'out of credit for 10 minutes')),
    'own openai',
  ],
  ['a rejected key if there is no other', own(two('rejected', 'expired')), 'own openai:work'],
  ['no second key after an unreadable one', own(two('unreadable', 'active')), 'api_key_unreadable'],
  ['the refusal of the first of two keys', own(two('expired', 'paused')), 'api_key_expired'],
  [
    'the key that is named',
    own(two('active', 'active'), { asked: 'openai:work' }),
    'own openai:work',
  ],
  [
    'the refusal of the key that is named',
    own(two('for other callers', 'active'), { asked: 'openai:work' }),
    'caller_not_allowed',
  ],
  ['no other key than the named one', own(ALONE, { asked: 'openai:work' }), 'no_api_key'],
  ["no team's key beside a paused one of the user", own(one('paused')), 'api_key_paused'],
  ["the team's key if the user has none", teams(ALONE), 'team openai'],
  ["the team's key for a bound Worker", teams(ALONE, { asker: BOUND }), 'team openai'],
  [
    "the team's key for a user who was never added",
    teams(one('unverified'), { isUser: false }),
    'team openai',
  ],
  ["the team's second key", teams(two('paused', 'active')), 'team openai'],
  [
    "the team's key after one whose maximum the member has reached",
    teams(two("at the member's maximum", 'active'), { isCounted: false }),
    'team openai',
  ],
  ["the team's key first with TEAM_FIRST", own(ALONE, { teamFirst: true }), 'team openai'],
  [
    'no key of the user beside a paused one of the team with TEAM_FIRST',
    own(ALONE, { teams: one('paused'), teamFirst: true }),
    'api_key_paused',
  ],
  ["the team's key if it forbids others", own(ALONE, { ownKeys: false }), 'team openai'],
  ['no key if the team forbids others', own(ALONE, { teams: [], ownKeys: false }), 'no_api_key'],
  ["no team's key for an old token", teams(ALONE, { asker: OLD }), 'token_expired'],
  [
    "the user's key for an old token with TEAM_FIRST",
    own(ALONE, { asker: OLD, teamFirst: true }),
    'own openai',
  ],
  [
    'the key of the team that is named',
    teams(ALONE, { asker: 'a token with two teams, one named' }),
    'team openai',
  ],
  ['no key of two teams', teams(ALONE, { asker: 'a token with two teams' }), 'team_required'],
  ['an own key with two teams', own(ALONE, { asker: 'a token with two teams' }), 'own openai'],
  [
    'no key of a team that the token lacks',
    own(ALONE, { asker: 'a token with another team than named' }),
    'not_your_own',
  ],
  [
    'no key of teams that the token leaves out',
    teams(ALONE, { asker: 'a token that leaves its teams out' }),
    'teams_not_in_token',
  ],
])('a use takes %s', async ([, of, result]) => {
  const [played] = await playAll([of])
  expect(played?.actual).toEqual(played?.expected)
  const { code, source, slot } = played?.actual.seen ?? {}
  expect(code ?? `${source} ${slot}`).toBe(result)
})
