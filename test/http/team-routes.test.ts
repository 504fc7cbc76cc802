/** Who may do what with a team's keys: members and admins, as their tokens say, and servers. */

import { expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import type { TeamOperation } from '../../src/shared/routes.ts'
import { env } from '../isolate.ts'
import { app, mintToken, someKey, someUser, storedKey, URL_BASE } from '../support.ts'
import {
  admin,
  ask,
  member,
  OPERATIONS,
  server,
  someTeam,
  someTeamId,
  TEAMS,
} from './team-calls.ts'

const IN = '200'
const OTHERS = '403 not_your_own'
const LACKS = '403 scope_missing'
const OLD = '401 token_expired'

/** The answers to all operations; those of `more` differ. */
const all = (answer: string, more: { [Id in TeamOperation]?: string } = {}) => ({
  ...Object.fromEntries(OPERATIONS.map((id) => [id, answer])),
  ...more,
})

const LOOKS = { listTeamSlots: IN, getTeamSlot: IN, listTeamEvents: IN, getTeam: IN }
const NOT_IN = all(OTHERS, { removeTeam: LACKS })

type Row = [
  sender: string,
  claims: (teamId: string) => object | null,
  answers: Record<string, string>,
  vars?: object,
]

const ROWS: Row[] = [
  ['an admin', admin, all(IN, { removeTeam: LACKS })],
  ['a member', member, all(OTHERS, { ...LOOKS, removeTeam: LACKS })],
  [
    'an admin of another team',
    (id) => admin('other', 'eve', { groups: [id, 'other'] }),
    all(OTHERS, { ...LOOKS, removeTeam: LACKS }),
  ],
  ['an admin who is not a member', (id) => admin(id, 'eve', { groups: [] }), NOT_IN],
  ['a member of another team', () => member('other'), NOT_IN],
  ['a member of a team in another case', (id) => member(id.toUpperCase()), NOT_IN],
  ['a user without a team', () => ({ sub: 'jane', iat: inSeconds(0) }), NOT_IN],
  ['a user with the id of the team', (id) => ({ sub: id, iat: inSeconds(0) }), NOT_IN],
  ['a user with the text of the team', (id) => ({ sub: teamOwner(id), iat: inSeconds(0) }), NOT_IN],
  ['nobody', () => null, all('401 token_missing')],
  ['a member who was removed', (id) => admin(id, 'eve', { iat: inSeconds(-4_000) }), all(OLD)],
  [
    'a token that does not say when it was issued',
    (id) => admin(id, 'eve', { iat: undefined }),
    all(OLD),
  ],
  [
    'a token without its teams',
    () => ({ sub: 'jane', iat: inSeconds(0), _claim_names: { groups: 'src1' } }),
    all('403 teams_not_in_token', { removeTeam: LACKS }),
  ],
  [
    'a server with vault:support',
    () => server('vault:support'),
    all(LACKS, {
      ...LOOKS,
      getTeam: LACKS,
      deleteTeamSlot: IN,
      setTeamLimits: IN,
      verifyTeamSlot: OTHERS,
      changeTeam: OTHERS,
    }),
  ],
  [
    'a server with vault:save',
    () => server('vault:save'),
    all(LACKS, { saveTeamSlot: IN, verifyTeamSlot: OTHERS, changeTeam: OTHERS }),
  ],
  [
    'a server with vault:users',
    () => server('vault:users'),
    all(LACKS, { getTeam: IN, removeTeam: IN, verifyTeamSlot: OTHERS, changeTeam: OTHERS }),
  ],
  [
    'an admin through a server',
    (id) => admin(id, 'ada', server('vault:users')),
    all(IN, { removeTeam: LACKS }),
  ],
  ['an admin, in a vault without teams', admin, all('404 not_found'), {}],
  [
    'a server, in a vault without teams',
    () => server('vault:users vault:save vault:support'),
    all(IN, { verifyTeamSlot: OTHERS, changeTeam: OTHERS }),
    {},
  ],
  [
    'an admin, in a vault without teams and servers',
    admin,
    all('404 not_found'),
    { MANAGE_CLIENTS: '', MANAGE_SCOPE: '' },
  ],
]

it.for(ROWS)('%s gets what the table says', async ([, claims, answers, vars = TEAMS]) => {
  const isIn = Object.values(answers).includes(IN)
  const teamId = isIn ? await someTeam() : someTeamId()
  const answered: Record<string, string> = {}
  const expected: Record<string, string> = {}
  for (const id of OPERATIONS) {
    // A server saves in an empty slot alone.
    const slot = id === 'saveTeamSlot' ? 'acme' : 'openai'
    // oxlint-disable-next-line no-await-in-loop -- the key is saved, deleted, and removed with its team, in this order
    const { answer, trips } = await ask(id, teamId, claims(teamId), { slot, vars })
    answered[id] = trips === 0 ? `${answer}, without D1` : answer
    expected[id] = answers[id] === IN ? IN : `${answers[id]}, without D1`
  }
  expect(answered).toEqual(expected)
})

it('a user and a team of the same id see nothing of each other', async () => {
  const [id, teamKey, userKey] = [someTeamId(), someKey(), someKey()]
  await someUser(id)
  await ask('saveTeamSlot', id, admin(id, id), { body: { api_key: teamKey } })
  const token = await mintToken({ sub: id })
  const send = async (method: string, path: string, body?: object) => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
    const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
    return (await app.request(`${URL_BASE}/api/users/${id}/${path}`, init, env)).json()
  }
  expect(await send('GET', 'api-keys/openai')).toEqual({ provider: 'openai', has_api_key: false })
  expect(await send('GET', 'api-key-events')).toMatchObject({ events: [] })
  await send('PUT', 'api-keys/openai?verify=false', { api_key: userKey })
  expect([
    await storedKey(id, env, 'openai'),
    await storedKey(teamOwner(id), env, 'openai'),
  ]).toEqual([userKey, teamKey])
  await ask('removeTeam', id, server('vault:users'))
  expect(await storedKey(id, env, 'openai')).toBe(userKey)
})
