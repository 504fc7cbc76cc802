/** What the admins of a team set. */

import { expect, it } from 'vitest'
import { admin, ask, member, server, someTeam, someTeamId } from '../http/team-calls.ts'

it('a team is added by the first save of an admin', async () => {
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

it('a team keeps what its admin sets, and takes tokens_since forward alone', async () => {
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
  const { answer, trips, body: refusal } = await ask('changeTeam', teamId, admin(teamId), { body })
  expect([answer, trips, refusal['detail']]).toEqual(['400 team_settings_invalid', 0, detail])
})

it('a team starts empty if it was removed and is made again', async () => {
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
