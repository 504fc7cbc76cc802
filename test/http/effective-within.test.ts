/** Which answers say how soon a change counts. */

import { createExecutionContext } from 'cloudflare:test'
import { expect, it } from 'vitest'
import { namesIn } from '../../src/shared/json.ts'
import { ROUTES, type GuardedOperation, type TeamOperation } from '../../src/shared/routes.ts'
import { env } from '../isolate.ts'
import { app, mintToken, someKey, someUser, URL_BASE } from '../support.ts'
import { admin, server, SENT, someTeam, TEAMS } from './team-calls.ts'

type UserOperation = Exclude<GuardedOperation, TeamOperation>

interface Step {
  /** Whether the answer says it: the operation changes who may use a key. */
  isChange: boolean
  body?: object | undefined
  slot?: string
}

const LOOK: Step = { isChange: false }
const CHANGE: Step = { isChange: true }
const KEY = { api_key: someKey() }

/** In the order in which they are done. Without a line for each operation, this does not type-check. */
const OF_USERS: { [Id in UserOperation]: Step } = {
  addUser: LOOK,
  saveKey: { ...CHANGE, body: KEY },
  getKey: LOOK,
  assignKey: { ...CHANGE, slot: 'acme' },
  saveSlot: { ...CHANGE, body: KEY },
  getSlot: LOOK,
  listSlots: LOOK,
  verifySlot: LOOK,
  setLimits: { ...CHANGE, body: { paused: true } },
  deleteSlot: CHANGE,
  deleteKey: CHANGE,
  listEvents: LOOK,
  exportUser: LOOK,
  getUser: LOOK,
  listUsers: LOOK,
  removeUser: CHANGE,
}

const OF_TEAMS: { [Id in TeamOperation]: Step } = {
  saveTeamSlot: { ...CHANGE, body: SENT.saveTeamSlot },
  getTeamSlot: LOOK,
  listTeamSlots: LOOK,
  verifyTeamSlot: LOOK,
  setTeamLimits: { ...CHANGE, body: SENT.setTeamLimits },
  deleteTeamSlot: CHANGE,
  listTeamEvents: LOOK,
  getTeam: LOOK,
  changeTeam: { ...CHANGE, body: SENT.changeTeam },
  removeTeam: CHANGE,
}

interface Asked {
  id: GuardedOperation
  owner: string
  claims: object
  slot?: string | undefined
  body?: object | undefined
  vars: object
}

/** The body of a 200. */
async function ask({ id, owner, claims, slot = 'openai', body, vars }: Asked): Promise<object> {
  const { method, path, query } = ROUTES[id]
  const url = path.replace(/:(?:user|team)Id/, encodeURIComponent(owner)).replace(':provider', slot)
  const headers = {
    Authorization: `Bearer ${await mintToken({ ...claims })}`,
    'Content-Type': 'application/json',
  }
  const init = {
    method: method.toUpperCase(),
    headers,
    ...(body && { body: JSON.stringify(body) }),
  }
  const unchecked = query === 'Verify' ? '?verify=false' : ''
  const vault = { ...env, ...TEAMS, ...vars }
  const context = createExecutionContext()
  const response = await app.request(URL_BASE + url + unchecked, init, vault, context)
  const text = await response.text()
  expect([id, response.status]).toEqual([id, 200])
  return JSON.parse(text.split('\n')[0] ?? '')
}

/** What each operation says, in their order. */
async function askAll<Id extends GuardedOperation>(
  steps: { [Name in Id]: Step },
  common: Omit<Asked, 'id' | 'claims'>,
  claims: (id: Id) => object,
) {
  const said: Record<string, unknown> = {}
  for (const id of namesIn(steps)) {
    const { slot, body } = steps[id]
    // oxlint-disable-next-line no-await-in-loop -- the key is saved, changed and deleted, in this order
    const answer = await ask({ ...common, id, slot, body, claims: claims(id) })
    said[id] = 'effective_within_s' in answer ? answer.effective_within_s : null
  }
  return said
}

/** What each operation should say. */
function expectAll(steps: Record<string, Step>, seconds: number | null) {
  const entries = Object.entries(steps)
  return Object.fromEntries(entries.map(([id, { isChange }]) => [id, isChange ? seconds : null]))
}

const SETTINGS = [
  ['', null],
  ['0', null],
  ['1', 1],
  ['60', 60],
] as const

it.for(SETTINGS)(
  'each change of a user says how soon it counts, with USE_FRESH_SECONDS of "%s": %s',
  async ([USE_FRESH_SECONDS, seconds]) => {
    const owner = await someUser()
    const servers = new Set<UserOperation>(['addUser', 'getUser', 'listUsers', 'removeUser'])
    const common = { owner, vars: { USE_FRESH_SECONDS } }
    const said = await askAll(OF_USERS, common, (id) =>
      servers.has(id) ? server('vault:users') : { sub: owner },
    )
    expect(said).toEqual(expectAll(OF_USERS, seconds))
  },
)

it.for(SETTINGS)(
  'each change of a team says how soon it counts, with USE_FRESH_SECONDS of "%s": %s',
  async ([USE_FRESH_SECONDS, seconds]) => {
    const owner = await someTeam()
    const common = { owner, vars: { USE_FRESH_SECONDS } }
    const said = await askAll(OF_TEAMS, common, (id) =>
      id === 'removeTeam' ? server('vault:users') : admin(owner),
    )
    expect(said).toEqual(expectAll(OF_TEAMS, seconds))
  },
)

it('a change that is refused does not say how soon it counts', async () => {
  const owner = await someUser()
  const vault = { ...env, USE_FRESH_SECONDS: '60' }
  const token = await mintToken({ sub: owner })
  const init = {
    method: 'DELETE',
    headers: { Authorization: `Bearer ${token}`, 'If-Match': '"x"' },
  }
  const response = await app.request(`${URL_BASE}/api/users/${owner}/api-key`, init, vault)
  expect(response.status).toBe(412)
  expect(await response.json()).not.toHaveProperty('effective_within_s')
})
