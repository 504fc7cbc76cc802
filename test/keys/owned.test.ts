/** A token that a team does not take any more reads and changes nothing of it. */

import { expect, it, vi } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { changeOwned, runOwned } from '../../src/keys/owned.ts'
import { setLimits } from '../../src/keys/slots.ts'
import { openService } from '../../src/service.ts'
import { teamOwner } from '../../src/shared/owner.ts'
import type { TeamOperation } from '../../src/shared/routes.ts'
import { selectUser } from '../../src/store/users.ts'
import { admin, ask, OPERATIONS, someTeam } from '../http/team-calls.ts'
import { env } from '../isolate.ts'
import { ownerOf, recordLogs } from '../support.ts'
import { overtakenD1 } from './retried-operations.ts'

const GOOD = { api_key: `sk-good-${crypto.randomUUID()}` }

type Change = [what: string, id: TeamOperation, more: { query?: string; body?: object }]

const CHANGES: Change[] = [
  ...OPERATIONS.filter((id) => id !== 'removeTeam').map((id): Change => [id, id, {}]),
  ['a save that the provider checks', 'saveTeamSlot', { query: '', body: GOOD }],
  ['a new label', 'setTeamLimits', { body: { label: 'work' } }],
]

it.for(CHANGES)(
  '%s refuses a token that an admin has ended, and changes nothing',
  async ([, id, more]) => {
    const teamId = await someTeam()
    const old = admin(teamId, 'eve', { iat: inSeconds(-60) })
    const since = new Date(inSeconds(-30) * 1_000).toISOString()
    await ask('changeTeam', teamId, admin(teamId), { body: { tokens_since: since } })
    const before = await rowsOf(teamId)
    const { answer, body } = await ask(id, teamId, old, more)
    expect([answer, body['detail']]).toEqual([
      '401 token_expired',
      'An admin of the team has made older tokens invalid: get a new token.',
    ])
    expect(await rowsOf(teamId)).toEqual(before)
    expect((await ask(id, teamId, admin(teamId), more)).answer).toBe('200')
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

it('a change by a token adds the member to the users, and the record of a use does not', async () => {
  const { service } = await ownerOf('jane')
  const isUser = async (id: string) =>
    (await env.DB.prepare('SELECT 1 FROM users WHERE id = ?1').bind(id).all()).results.length === 1
  const owner = { service, userId: teamOwner('acme') }
  const token = { ...owner, issuedAt: '2026-01-01T00:00:00.000Z' }
  await changeOwned({ ...token, member: 'editor' }, [selectUser('editor')])
  await changeOwned({ ...owner, member: 'caller' }, [selectUser('caller')])
  await runOwned({ ...token, member: 'reader' }, [selectUser('reader')])
  const users = await Promise.all(['editor', 'caller', 'reader'].map(isUser))
  expect(users).toEqual([true, false, false])
})

it('a token that an admin ends after a change with a lost answer does not read the change', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0)
  recordLogs()
  const teamId = await someTeam()
  const timeOf = (seconds: number) => new Date(inSeconds(seconds) * 1_000).toISOString()
  const endTokens = async () => {
    const body = { tokens_since: timeOf(-30) }
    const { answer } = await ask('changeTeam', teamId, admin(teamId), { body })
    return answer === '200' ? 'ok' : answer
  }
  const service = await openService({ ...env, DB: overtakenD1(endTokens) })
  const token = { member: 'eve', isAdmin: true, issuedAt: timeOf(-60) }
  const owner = { service, userId: teamOwner(teamId), ...token }
  const change = setLimits(owner, 'openai', { isPaused: true, condition: null })
  await expect(change).rejects.toMatchObject({ code: 'token_expired' })
})
