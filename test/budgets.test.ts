/** The budgets of a warm request. The figures are the current ones: decide before you change one. */

import { createExecutionContext } from 'cloudflare:test'
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { copyDeletions } from '../src/keys/gone.ts'
import { openService } from '../src/service.ts'
import { emptyVault, env } from './isolate.ts'
import { saveSlot } from '../src/keys/save.ts'
import { takeKey } from '../src/keys/take.ts'
import { teamOwner } from '../src/shared/owner.ts'
import { VOUCHED } from '../src/shared/team.ts'
import {
  app,
  call,
  keyPath,
  mintToken,
  ownerOf,
  putKey,
  slotOf,
  slotPath,
  someUser,
  stopClock,
  URL_BASE,
} from './support.ts'

beforeEach(stopClock)
afterEach(() => vi.unstubAllGlobals())

let users = 100

/** A new user. The ids increase, so that no other user's row follows: D1 also counts the row that ends a range. */
async function nextUser(): Promise<string> {
  return someUser(`budget-${(users += 1)}`)
}

interface Used {
  /** Round trips to D1, and their statements. */
  trips: number
  statements: number
  /** Rows that D1 bills. */
  rows_read: number
  rows_written: number
  /** Calls to crypto.subtle. */
  subtle: number
  /** Constructed Responses. */
  responses: number
}

/** Counts how much `work` uses D1, WebCrypto and the runtime. */
async function count(work: (vault: Env) => Promise<unknown>, vars: object = {}): Promise<Used> {
  const used = { ...NOTHING }
  const add = (results: D1Result[]) => {
    used.trips += 1
    used.statements += results.length
    for (const { meta } of results) {
      used.rows_read += meta.rows_read
      used.rows_written += meta.rows_written
    }
    return results
  }
  const DB = Object.assign(Object.create(env.DB), {
    prepare: (sql: string) => {
      const prepared = env.DB.prepare(sql)
      return Object.assign(Object.create(prepared), {
        bind: (...values: unknown[]) => {
          const bound = prepared.bind(...values)
          const all = bound.all.bind(bound)
          return Object.assign(bound, { all: async () => add([await all()])[0] })
        },
      })
    },
    batch: async (statements: D1PreparedStatement[]) => add(await env.DB.batch(statements)),
  })
  const vault = { ...env, ...vars, DB }
  await work(vault)
  Object.assign(used, { trips: 0, statements: 0, rows_read: 0, rows_written: 0 })
  const methods = [
    'encrypt',
    'decrypt',
    'sign',
    'verify',
    'digest',
    'deriveKey',
    'deriveBits',
  ] as const
  const spies = [...methods, 'importKey' as const].map((name) => vi.spyOn(crypto.subtle, name))
  const construct = (target: typeof Response, args: unknown[]) => {
    used.responses += 1
    return Reflect.construct(target, args)
  }
  vi.stubGlobal('Response', new Proxy(Response, { construct }))
  await work(vault)
  const subtle = spies.reduce((sum, { mock }) => sum + mock.calls.length, 0)
  return { ...used, subtle }
}

const NOTHING = { trips: 0, statements: 0, rows_read: 0, rows_written: 0, subtle: 0, responses: 0 }

const READ = { trips: 1, statements: 1, rows_read: 1, responses: 1 }
/** A row for the key, one for its place in the index of kids, one for the event. */
const WRITE = { trips: 1, statements: 3, rows_read: 10, rows_written: 3, responses: 1 }

/** Makes a request that can be sent again to a vault with one environment. */
function requestOf(
  method: string,
  path: string,
  { token, body }: { token: string; body: object | null },
) {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const init = { method, headers, ...(body && { body: JSON.stringify(body) }) }
  return async (vault: Env) => {
    const response = await app.fetch(new Request(URL_BASE + path, init), vault)
    await response.text()
  }
}

interface Asked {
  method: string
  path: (id: string) => string
  body?: object
  vars?: Partial<Env>
}

const AUTO = { AUTO_CREATE_USERS: 'true' }
const KEY = { api_key: 'sk-0123456789' }
const listPath = (id: string) => slotPath(id, '').slice(0, -1)
const inSlot = (id: string) => slotPath(id, 'openai')
const uncheckedPath = (id: string) => `${inSlot(id)}?verify=false`
const GET = { method: 'GET', path: keyPath }
const PUT = { method: 'PUT', path: keyPath, body: KEY }
const DELETE = { method: 'DELETE', path: keyPath }
const DELETED = { ...WRITE, statements: 4, rows_read: 9, rows_written: 0 }

it.for<[name: string, asked: Asked, used: Partial<Used>]>([
  ['a GET', GET, { ...READ, rows_read: 2, subtle: 1 }],
  ['a GET with AUTO_CREATE_USERS', { ...GET, vars: AUTO }, { ...READ, rows_read: 2, subtle: 1 }],
  ['a PUT', PUT, { ...WRITE, subtle: 1 }],
  [
    'a PUT with AUTO_CREATE_USERS',
    { ...PUT, vars: AUTO },
    { ...WRITE, statements: 4, rows_read: 11, subtle: 1 },
  ],
  ['a DELETE', DELETE, DELETED],
  ['a DELETE with AUTO_CREATE_USERS', { ...DELETE, vars: AUTO }, DELETED],
  ['the list', { ...GET, path: listPath }, { ...READ, rows_read: 2, subtle: 1 }],
  ['a GET of a slot', { ...GET, path: inSlot }, READ],
  ['a save in a slot', { ...PUT, path: uncheckedPath }, { ...WRITE, rows_read: 12, subtle: 1 }],
  ['a 403', { ...GET, path: () => keyPath('another') }, { responses: 1 }],
  ['a 400', { ...PUT, body: { api_key: '' } }, { responses: 1 }],
  ['a 405', { ...GET, method: 'POST' }, { responses: 1 }],
])('%s stays within its budget', async ([, { method, path, body = null, vars }, used]) => {
  const userId = await nextUser()
  await putKey(userId, 'sk-0123456789')
  const token = await mintToken({ sub: userId })
  const request = requestOf(method, path(userId), { token, body })
  expect(await count(request, vars)).toEqual({ ...NOTHING, ...used })
})

it('a PUT of another key writes three rows: the key, its place in an index, and the event', async () => {
  const userId = await nextUser()
  const token = await mintToken({ sub: userId })
  const used = await count(async (vault) => {
    const body = { api_key: `sk-${crypto.randomUUID()}` }
    await requestOf('PUT', keyPath(userId), { token, body })(vault)
  })
  expect(used).toMatchObject({ trips: 1, statements: 3, rows_written: 3 })
})

it('a DELETE of a key writes two rows: the key and the event', async () => {
  const userId = await nextUser()
  const token = await mintToken({ sub: userId })
  const used = await count(async (vault) => {
    await putKey(userId, 'sk-0123456789')
    await requestOf('DELETE', keyPath(userId), { token, body: null })(vault)
  })
  expect(used).toMatchObject({ trips: 1, statements: 4, rows_written: 2 })
})

it.for<[name: string, limits: object, rowsWritten: number]>([
  ['a use', { paused: false }, 0],
  ['a use that is counted', { max_uses: { count: 100, per: 'day' } }, 1],
])('%s makes one round trip before its answer', async ([, limits, rows_written]) => {
  const userId = await nextUser()
  const token = await mintToken({ sub: userId, scope: 'relay' })
  const body = { api_key: `sk-good-${crypto.randomUUID()}` }
  await call('PUT', `${slotPath(userId, 'openai')}?verify=false`, { token, body })
  await call('PATCH', slotPath(userId, 'openai'), { token, body: limits })
  const headers = { Authorization: `Bearer ${token}` }
  const used = await count(async (vault) => {
    const request = new Request(`${URL_BASE}/relay/openai/v1/models`, { headers })
    await (await app.fetch(request, vault, createExecutionContext())).text()
  })
  expect(used).toMatchObject({ trips: 1, statements: 3, rows_written, subtle: 1 })
})

it('a PUT writes one more row if it replaces a key that the second store has to know of', async () => {
  await copyDeletions(await openService(env))
  // Otherwise the other tests would write that row too.
  onTestFinished(emptyVault)
  const userId = await nextUser()
  const token = await mintToken({ sub: userId })
  const request = requestOf('PUT', keyPath(userId), { token, body: KEY })
  const used = { ...WRITE, rows_read: 10, rows_written: 4, subtle: 1 }
  expect(await count(request)).toEqual({ ...NOTHING, ...used })
})

it('a token with an invalid signature costs one signature check', async () => {
  const token = `${(await mintToken({ sub: 'a' })).replace(/\.[^.]*$/, '')}.${'A'.repeat(43)}`
  const request = requestOf('GET', keyPath('a'), { token, body: null })
  expect(await count(request)).toEqual({ ...NOTHING, subtle: 1, responses: 1 })
})

/** It picks the key, counts the use, and reads the heartbeat. */
const OWN = { trips: 1, statements: 3, rows_written: 0, subtle: 1 }
/** It adds the user and counts the member too. */
const TEAMS = { ...OWN, statements: 5 }
const MAXIMUM = "max_uses = 9, max_uses_per = 'day'"
const PER_MEMBER = "max_uses_per_member = 9, max_uses_per_member_per = 'day'"

interface TakenKeys {
  own: string[]
  team?: string[]
  set?: string
  vars?: object
}

/** Without the second store: its job has not run here. */
const KEPT = { USE_FRESH_SECONDS: '60', DELETIONS: undefined }
const AT_HAND = { ...NOTHING, subtle: 1 }

it.for<[name: string, keys: TakenKeys, used: Partial<Used>]>([
  ['the own key', { own: ['openai'] }, { ...OWN, rows_read: 6 }],
  ['one of three own keys', { own: ['openai', 'openai:a', 'openai:b'] }, { ...OWN, rows_read: 12 }],
  [
    'the own key with a maximum',
    { own: ['openai'], set: MAXIMUM },
    { ...OWN, rows_read: 9, rows_written: 1 },
  ],
  ['the own key in a team', { own: ['openai'], team: ['openai'] }, { ...TEAMS, rows_read: 44 }],
  ['a team’s key', { own: [], team: ['openai'] }, { ...TEAMS, rows_read: 42 }],
  [
    'a team’s key with both maximums',
    { own: [], team: ['openai'], set: `${MAXIMUM}, ${PER_MEMBER}` },
    { ...TEAMS, rows_read: 56, rows_written: 2 },
  ],
  ['a key at hand', { own: ['openai'], vars: KEPT }, AT_HAND],
  ['a team’s key at hand', { own: [], team: ['openai'], vars: KEPT }, AT_HAND],
])('taking %s stays within its budget', async ([, { own, team, set, vars }, used]) => {
  const userId = await nextUser()
  const teamId = teamOwner(userId)
  if (team !== undefined) await someUser(teamId)
  const saves = [
    ...own.map((slot) => [userId, slot] as const),
    ...(team ?? []).map((slot) => [teamId, slot] as const),
  ]
  for (const [owner, slot] of saves) {
    // oxlint-disable-next-line no-await-in-loop -- they are in this order
    await saveSlot(await ownerOf(owner), slot, { apiKey: 'sk-0123456789', verify: false })
  }
  if (set !== undefined)
    await env.DB.exec(`UPDATE api_keys SET ${set} WHERE user_id LIKE '%${userId}'`)
  const taking = async (vault: Env) => {
    const by = { kind: 'caller', name: 'binding:chat' } as const
    const inUse = team === undefined ? null : { userId: teamId, issuedAt: VOUCHED }
    const owner = await ownerOf(userId, vault)
    await takeKey({ ...owner, by, waitUntil: () => {}, team: inUse }, slotOf(owner, 'openai'))
  }
  expect(await count(taking, vars)).toMatchObject(used)
})

it('a save of an admin makes one round trip of five statements: two are for the team and the admin', async () => {
  const vars = { JWT_TEAM_CLAIM: 'org_id', JWT_TEAM_ADMIN: 'org_role=admin' }
  const teamId = `budget-${(users += 1)}`
  const iat = Math.floor(Date.now() / 1_000)
  const claims = { sub: await nextUser(), iat, org_id: teamId, org_role: 'admin' }
  const token = await mintToken(claims)
  const path = `/api/teams/${teamId}/api-keys/openai?verify=false`
  const used = await count(requestOf('PUT', path, { token, body: KEY }), vars)
  expect(used).toMatchObject({ trips: 1, statements: 5, rows_written: 3 })
})
