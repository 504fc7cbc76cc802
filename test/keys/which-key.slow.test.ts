/** Which key a use takes: each reason of a user's key and of a team's, for everybody who asks. */

import { beforeEach, expect, it } from 'vitest'
import { stopClock } from '../support.ts'
import {
  ASKER_NAMES,
  OWN_STATES,
  TEAM_STATES,
  type Case,
  type Keys,
  type State,
} from './use-rules.ts'
import { playAll } from './use-world.ts'

beforeEach(stopClock)

/** The keys of an owner: none, or one in each state. */
const noneOrOne = (slot: string, states: readonly State[]): Keys[] => [
  [],
  ...states.map((state) => [[slot, state] as const]),
]
/** Two keys, whose order is not that of their names. */
const pairs = (states: readonly State[]): Keys[] =>
  states.flatMap((first) =>
    states.map((second) => [['openai:work', first] as const, ['openai', second] as const]),
  )

/** The cases that came to something else. Some have no maximum. */
async function wrongOf(cases: readonly Case[]) {
  const played = await playAll(
    cases.map((of, index) => Object.assign({ isCounted: index % 3 > 0 }, of)),
  )
  return played.filter(
    ({ actual, expected }) => !expect.objectContaining(expected).asymmetricMatch(actual),
  )
}

/** Those who differ in more than how they name the team. */
const MAIN = [
  'a token with one team',
  'a token from before tokens_since',
  'a binding with the team',
]
const OTHERS = ASKER_NAMES.filter((asker) => !MAIN.includes(asker))
const ASKED = ['openai', 'openai:work']

it.for(
  MAIN.flatMap((asker) =>
    [false, true].flatMap((teamFirst) =>
      [true, false].map((ownKeys) => ({ asker, teamFirst, ownKeys })),
    ),
  ),
)(
  'each state of a key of the user with each of the team: $asker, TEAM_FIRST $teamFirst, own_keys $ownKeys',
  async (given) => {
    const cases = noneOrOne('openai:work', OWN_STATES).flatMap((own) =>
      noneOrOne('openai', TEAM_STATES).map((teams) => Object.assign({ own, teams }, given)),
    )
    expect(await wrongOf(cases)).toEqual([])
  },
)

it.for(OTHERS.flatMap((asker) => [false, true].map((teamFirst) => ({ asker, teamFirst }))))(
  'each state of a key of the user or the team: $asker, TEAM_FIRST $teamFirst',
  async (given) => {
    const some = noneOrOne('openai', ['active', 'paused'])
    const ofUsers = noneOrOne('openai:work', OWN_STATES).flatMap((own) =>
      some.map((teams) => ({ own, teams })),
    )
    const ofTeams = noneOrOne('openai:work', TEAM_STATES).flatMap((teams) =>
      some.map((own) => ({ own, teams })),
    )
    const cases = [...ofUsers, ...ofTeams].map((keys, index) =>
      Object.assign({ ownKeys: index % 5 > 0 }, keys, given),
    )
    expect(await wrongOf(cases)).toEqual([])
  },
)

it.for(ASKER_NAMES)(
  'each state of a key of a team, for a user who was never added: %s',
  async (asker) => {
    const cases = noneOrOne('openai', TEAM_STATES).flatMap((teams) =>
      ASKED.map((asked) => ({ asker, own: [], teams, asked, isUser: false })),
    )
    expect(await wrongOf(cases)).toEqual([])
  },
)

it.for(ASKED)('each pair of states of two keys of a user, for a caller of %s', async (asked) => {
  const cases = pairs(OWN_STATES).map((own, index): Case => {
    const asker = index % 2 === 0 ? 'a binding' : 'a token with one team'
    return { asker, own, teams: [['openai', 'active']], asked }
  })
  expect(await wrongOf(cases)).toEqual([])
})

it.for(ASKED)('each pair of states of two keys of a team, for a caller of %s', async (asked) => {
  const cases = pairs(TEAM_STATES).map((teams, index): Case => {
    const asker = index % 2 === 0 ? 'a binding with the team' : 'a token with one team'
    return { asker, own: [], teams, asked }
  })
  expect(await wrongOf(cases)).toEqual([])
})

it.for(
  ASKED.flatMap((asked) =>
    [['openai'], ['openai:work'], ['openai:third', 'acme'], ['acme', 'openai']].map((granted) => ({
      asked,
      granted,
    })),
  ),
)(
  'each pair of some states of two keys, for a caller of $asked with the grants $granted',
  async (given) => {
    const cases = pairs(['active', 'paused', 'rejected', 'at its maximum']).flatMap(
      (keys): Case[] => [
        { asker: 'a binding', own: keys, teams: [], ...given },
        { asker: 'a token with one team', own: keys, teams: [], ...given },
        { asker: 'a binding with the team', own: [], teams: keys, ...given },
        { asker: 'a token with one team', own: [], teams: keys, ...given },
      ],
    )
    expect(await wrongOf(cases)).toEqual([])
  },
)

it('a use takes the first of ten keys that may work', async () => {
  const slots = ['openai', ...Array.from({ length: 9 }, (_, index) => `openai:${9 - index}`)]
  const cases = slots.map((_, best): Case => {
    const own = slots.map((slot, index) => {
      if (index < best) return [slot, index % 2 === 0 ? 'rejected' : 'paused'] as const
      return [slot, index === best ? 'unverified' : 'active'] as const
    })
    return { asker: 'a binding', own, teams: [] }
  })
  expect(await wrongOf(cases)).toEqual([])
})
