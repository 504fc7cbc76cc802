/** What the routes of a team answer to an admin, and to another member. */

import { expect, it } from 'vitest'
import type { EventAnswer } from '../../src/shared/answers.ts'
import type { TeamOperation } from '../../src/shared/routes.ts'
import { someUser } from '../support.ts'
import { admin, ask, member, server, someTeam, someTeamId } from './team-calls.ts'

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

it('a team has no slot default without DEFAULT_PROVIDER', async () => {
  const teamId = await someTeam()
  const operations: TeamOperation[] = [
    'getTeamSlot',
    'saveTeamSlot',
    'setTeamLimits',
    'verifyTeamSlot',
    'deleteTeamSlot',
  ]
  for (const id of operations) {
    const { answer } = await ask(id, teamId, admin(teamId), { slot: 'default' })
    expect([id, answer]).toEqual([id, '404 unknown_provider'])
  }
})

it('a change of a team’s settings is not an event', async () => {
  const teamId = await someTeam()
  const eventsOf = async () => (await ask('listTeamEvents', teamId, admin(teamId))).body
  const before = await eventsOf()
  expect((await ask('changeTeam', teamId, admin(teamId))).answer).toBe('200')
  expect(await eventsOf()).toEqual(before)
})
