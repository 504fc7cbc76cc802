/** Calls of a team's routes, with the tokens of its admins and members, and of servers. */

import { createExecutionContext } from 'cloudflare:test'
import { expect } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { namesIn } from '../../src/shared/json.ts'
import { ROUTES, type TeamOperation } from '../../src/shared/routes.ts'
import { env } from '../isolate.ts'
import { app, interceptD1, mintToken, someKey, URL_BASE } from '../support.ts'

export const TEAMS = { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'admin_of' }

/** What each operation sends. */
export const SENT: { [Id in TeamOperation]: object | undefined } = {
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
export const OPERATIONS = namesIn(SENT)

interface Call {
  slot?: string
  query?: string
  body?: object | undefined
  headers?: Record<string, string>
  vars?: object
}

/** Does an operation with a token of these claims: its answer, and how often D1 was called. */
export async function ask(
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

export const member = (teamId: string, sub = 'max', more: object = {}) => ({
  sub,
  groups: [teamId],
  iat: inSeconds(0),
  ...more,
})
export const admin = (teamId: string, sub = 'ada', more: object = {}) =>
  member(teamId, sub, { admin_of: [teamId], ...more })
export const server = (scope: string) => ({ client_id: 'flask-app', scope })

export const someTeamId = () => `team-${crypto.randomUUID()}`

/** A team with a key for OpenAI, which an admin saved. */
export async function someTeam(apiKey = someKey()) {
  const teamId = someTeamId()
  const { answer } = await ask('saveTeamSlot', teamId, admin(teamId), { body: { api_key: apiKey } })
  expect(answer).toBe('200')
  return teamId
}
