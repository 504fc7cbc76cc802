/** Who may do what with a team's keys: the members and admins that tokens name, and servers. */

import { createExecutionContext } from 'cloudflare:test'
import { describe, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import type { EventAnswer } from '../../src/shared/answers.ts'
import { namesIn } from '../../src/shared/json.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import { ROUTES, type TeamOperation } from '../../src/shared/routes.ts'
import { env } from '../isolate.ts'
import { app, interceptD1, mintToken, someKey, someUser, storedKey, URL_BASE } from '../support.ts'

const TEAMS = { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'admin_of' }

/** What each operation sends. */
const SENT: { [Id in TeamOperation]: object | undefined } = {
  listTeamSlots: undefined,
  getTeamSlot: undefined,
  saveTeamSlot: { api_key: someKey() },
  verifyTeamSlot: undefined,
  setTeamLimits: { paused: true },
  listTeamEvents: undefined,
  getTeam: undefined,
  changeTeam: { own_keys: false },
  deleteTeamSlot: undefined,
  removeTeam: undefined,
}
const OPERATIONS = namesIn(SENT)

interface Call {
  slot?: string
  query?: string
  body?: object | undefined
  headers?: Record<string, string>
  vars?: object
}

/** Does an operation with a token of these claims: its answer, and how often D1 was called. */
async function ask(
  id: TeamOperation,
  teamId: string,
  claims: object | null,
  { slot = 'openai', query, body: sent = SENT[id], headers = {}, vars = TEAMS }: Call = {},
) {
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  const { method, path } = ROUTES[id]
  const url = path.replace(':teamId', encodeURIComponent(teamId)).replace(':provider', slot)
  const token = claims === null ? null : await mintToken({ ...claims })
  const init = {
    method: method.toUpperCase(),
    headers: {
      ...(token !== null && { Authorization: `Bearer ${token}` }),
      ...(sent !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(sent !== undefined && { body: JSON.stringify(sent) }),
  }
  const asked = query ?? (id === 'saveTeamSlot' ? '?verify=false' : '')
  const vault = { ...env, ...vars, DB }
  const response = await app.request(URL_BASE + url + asked, init, vault, createExecutionContext())
  const code = response.headers.get('X-Vault-Error')
  const answer = code === null ? String(response.status) : `${response.status} ${code}`
  const body = await response.clone().json<Record<string, unknown>>()
  return { answer, trips, body, response }
}

const member = (teamId: string, sub = 'max', more: object = {}) => ({
  sub,
  groups: [teamId],
  iat: inSeconds(0),
  ...more,
})
const admin = (teamId: string, sub = 'ada', more: object = {}) =>
  member(teamId, sub, { admin_of: [teamId], ...more })
const server = (scope: string) => ({ client_id: 'flask-app', scope })

const someTeamId = () => `team-${crypto.randomUUID()}`

/** A team with a key for OpenAI, which an admin saved. */
async function someTeam(apiKey = someKey()) {
  const teamId = someTeamId()
  const { answer } = await ask('saveTeamSlot', teamId, admin(teamId), { body: { api_key: apiKey } })
  expect(answer).toBe('200')
  return teamId
}

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

it('tells why a token is refused', async () => {
  const teamId = someTeamId()
  const details = [
    await ask('getTeam', teamId, member('other')),
    await ask('changeTeam', teamId, member(teamId)),
    await ask('getTeam', teamId, member(teamId, 'max', { iat: inSeconds(-4_000) })),
  ].map(({ body }) => body['detail'])
  expect(details).toEqual([
    'The token does not say that its user is in this team.',
    'The token does not say that its user is an admin of this team.',
    'For a team, the token must say with "iat" that it was issued a short time ago.',
  ])
})

it('counts the requests of a member under the user, whatever the team', async () => {
  const keys: string[] = []
  const limit = async ({ key }: RateLimitOptions) => {
    keys.push(key)
    return { success: false }
  }
  const vars = { ...TEAMS, RATE_LIMITER: { limit } }
  const { answer, trips } = await ask('getTeam', 'acme', member('acme', 'team:x'), { vars })
  expect([answer, trips, keys]).toEqual(['429 rate_limited', 0, ['~team:x']])
})

describe('what an admin and a member see', () => {
  it('shows the admin of a team what a user sees of a key', async () => {
    const teamId = await someTeam('sk-test-0123456789-abcd')
    const { body } = await ask('getTeamSlot', teamId, admin(teamId))
    expect(body).toMatchObject({
      provider: 'openai',
      has_api_key: true,
      api_key_preview: 'sk-test-...',
      last_used_at: null,
    })
    const list = await ask('listTeamSlots', teamId, admin(teamId))
    expect(list.body).toMatchObject({ team_id: teamId, api_keys: expect.arrayContaining([]) })
  })

  it('shows a member whether there is a key, its label and its status, and nothing else', async () => {
    const teamId = await someTeam()
    const openai = { provider: 'openai', has_api_key: true, label: 'OpenAI', status: 'unverified' }
    const slot = await ask('getTeamSlot', teamId, member(teamId))
    expect(slot.body).toEqual(openai)
    expect(slot.response.headers.get('ETag')).toBeNull()
    const { body } = await ask('listTeamSlots', teamId, member(teamId))
    const fields = new Set(Object.values(body['api_keys'] ?? {}).flatMap(Object.keys))
    expect([...fields].toSorted()).toEqual(['has_api_key', 'label', 'provider', 'status'])
    expect(body).toMatchObject({ team_id: teamId, api_keys: expect.arrayContaining([openai]) })
  })

  it('answers a save and a deletion with the team', async () => {
    const teamId = someTeamId()
    const saved = await ask('saveTeamSlot', teamId, admin(teamId))
    expect(saved.body).toMatchObject({ team_id: teamId, team: { id: teamId, has_api_key: true } })
    expect(Object.keys(saved.body)).toEqual(['message', 'team_id', 'team'])
    const etag = saved.response.headers.get('ETag') ?? ''
    expect(etag).toMatch(/^".+\.1"$/)
    const headers = { 'If-Match': etag }
    const deleted = await ask('deleteTeamSlot', teamId, admin(teamId), { headers })
    expect(deleted.body).toMatchObject({
      team_id: teamId,
      team: { id: teamId, has_api_key: false, status: null },
    })
  })

  it('shows a member the events of their own, and an admin those of all', async () => {
    const teamId = await someTeam()
    await someUser('max-of-events')
    const max = admin(teamId, 'max-of-events')
    await ask('setTeamLimits', teamId, max)
    const eventsOf = async (claims: object) => {
      const { response } = await ask('listTeamEvents', teamId, claims)
      const { events }: { events: EventAnswer[] } = await response.json()
      return events.map(({ event, member: who }) => [event, who])
    }
    const paused = ['paused', 'max-of-events']
    expect(await eventsOf(admin(teamId))).toEqual([paused, ['saved', 'ada']])
    expect(await eventsOf(member(teamId, 'max-of-events'))).toEqual([paused])
    expect(await eventsOf(member(teamId, 'nobody'))).toEqual([])
    expect(await eventsOf({ ...server('vault:support') })).toContainEqual(paused)
  })
})

describe('a team', () => {
  it('is added by the first save of an admin', async () => {
    const teamId = someTeamId()
    const empty = { team_id: teamId, created_at: null, own_keys: true }
    expect((await ask('getTeam', teamId, member(teamId))).body).toEqual(empty)
    for (const claims of [admin(teamId), member(teamId)]) {
      // oxlint-disable-next-line no-await-in-loop -- two requests
      const { body } = await ask('getTeamSlot', teamId, claims)
      expect(body).toMatchObject({ provider: 'openai', has_api_key: false })
    }
    expect((await ask('listTeamEvents', teamId, member(teamId))).body).toMatchObject({ events: [] })
    const missing = await ask('getTeam', teamId, server('vault:users'))
    expect(missing.answer).toBe('404 user_not_found')
    expect((await ask('saveTeamSlot', teamId, server('vault:save'))).answer).toBe(
      '404 user_not_found',
    )
    await ask('saveTeamSlot', teamId, admin(teamId))
    const created_at = expect.stringMatching(/^20/)
    expect((await ask('getTeam', teamId, member(teamId))).body).toEqual({ ...empty, created_at })
  })

  it('keeps what its admin sets, and takes tokens_since forward alone', async () => {
    const teamId = someTeamId()
    const [later, earlier] = ['2026-02-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z']
    const change = async (body: object) =>
      (await ask('changeTeam', teamId, admin(teamId), { body })).body
    const team = { team_id: teamId, created_at: expect.stringMatching(/^20/), own_keys: true }
    expect(await change({ tokens_since: '2026-02-01T01:00:00+01:00' })).toEqual({
      ...team,
      tokens_since: later,
    })
    expect(await change({ tokens_since: earlier })).toEqual({ ...team, tokens_since: later })
    expect(await change({ own_keys: false })).toEqual({
      ...team,
      own_keys: false,
      tokens_since: later,
    })
    expect(await change({ own_keys: true, tokens_since: later })).toEqual({
      ...team,
      tokens_since: later,
    })
  })

  it.for<[body: object, detail: string]>([
    [{}, 'Send own_keys, tokens_since or both, and no other field.'],
    [{ own_keys: false, name: 'x' }, 'Send own_keys, tokens_since or both, and no other field.'],
    [[], 'Send own_keys, tokens_since or both, and no other field.'],
    [{ own_keys: 'false' }, 'own_keys must be true or false.'],
    [{ own_keys: null }, 'own_keys must be true or false.'],
    ...[
      '2999-01-01T00:00:00Z',
      '+010000-01-01T00:00:00Z',
      '-000001-01-01T00:00:00Z',
      '2026-01-01',
      'now',
      '',
      1,
      null,
    ].map((tokens_since): [object, string] => [
      { tokens_since },
      'tokens_since must be a time that has passed, such as 2026-11-25T12:00:00Z.',
    ]),
  ])('refuses the settings %j', async ([body, detail]) => {
    const teamId = someTeamId()
    const {
      answer,
      trips,
      body: refusal,
    } = await ask('changeTeam', teamId, admin(teamId), { body })
    expect([answer, trips, refusal['detail']]).toEqual(['400 team_settings_invalid', 0, detail])
  })

  it('starts empty if it was removed and is made again', async () => {
    const teamId = await someTeam()
    await ask('changeTeam', teamId, admin(teamId), { body: { own_keys: false } })
    const removed = await ask('removeTeam', teamId, server('vault:users'))
    expect(removed.body).toEqual({ team_id: teamId, deleted: true })
    expect((await ask('removeTeam', teamId, server('vault:users'))).body).toMatchObject({
      deleted: false,
    })
    await ask('saveTeamSlot', teamId, admin(teamId), { slot: 'acme' })
    expect((await ask('getTeamSlot', teamId, admin(teamId))).body).toMatchObject({
      has_api_key: false,
    })
    expect((await ask('getTeam', teamId, admin(teamId))).body).toMatchObject({ own_keys: true })
    const { body } = await ask('listTeamEvents', teamId, admin(teamId))
    expect(body['events']).toMatchObject([{ event: 'saved', provider: 'acme' }])
  })
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

it.for(OPERATIONS.filter((id) => id !== 'removeTeam'))(
  '%s refuses a token that an admin has ended, and changes nothing',
  async (id) => {
    const teamId = await someTeam()
    const old = admin(teamId, 'eve', { iat: inSeconds(-60) })
    const since = new Date(inSeconds(-30) * 1_000).toISOString()
    await ask('changeTeam', teamId, admin(teamId), { body: { tokens_since: since } })
    const before = await rowsOf(teamId)
    const query = id === 'saveTeamSlot' ? '' : undefined
    const { answer, body } = await ask(id, teamId, old, query === undefined ? {} : { query })
    expect([answer, body['detail']]).toEqual([
      OLD,
      'An admin of the team has ended tokens that are as old.',
    ])
    expect(await rowsOf(teamId)).toEqual(before)
    expect((await ask(id, teamId, admin(teamId))).answer).toBe(IN)
  },
)

/** What D1 has of the team, and who is a user. */
async function rowsOf(teamId: string) {
  const owner = teamOwner(teamId)
  const rows = await env.DB.batch([
    env.DB.prepare('SELECT * FROM users WHERE id = ?1 OR id = ?2').bind(owner, 'eve'),
    env.DB.prepare('SELECT * FROM api_keys WHERE user_id = ?1').bind(owner),
    env.DB.prepare('SELECT * FROM api_key_events WHERE user_id = ?1').bind(owner),
  ])
  return rows.map(({ results }) => results)
}
