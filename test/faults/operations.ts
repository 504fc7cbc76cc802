/** Each operation of the vault: every route, and every method of the binding. */

import { createExecutionContext } from 'cloudflare:test'
import type { JWTPayload } from 'jose'
import { inSeconds } from '../../scripts/lib/token.ts'
import { env } from '../isolate.ts'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { saveSlot } from '../../src/keys/save.ts'
import type { ServerGrant } from '../../src/shared/caller.ts'
import { ownerText, readOwner } from '../../src/shared/owner.ts'
import { ROUTES, type OperationId } from '../../src/shared/routes.ts'
import { app, mintToken, ownerOf, PROVIDER, someUser, URL_BASE } from '../support.ts'
import { rememberIdentities, stateOf } from './state.ts'

/** What a caller sees. */
export interface Answer {
  /** The code of the refusal, or `ok`; `broken off` if the body does not end. */
  code: string
  text: string
}

export interface Operation {
  name: string
  /** The code of an untouched request. */
  code: string
  /** What is there before; without it, a user with a key in the default slot and one for OpenAI. */
  seed: (userId: string) => Promise<unknown>
  /** Does it, and waits for what comes after the answer. */
  run: (userId: string, vault: Env, token?: string) => Promise<Answer>
  /** What it does first, in a transaction of its own: that may be done although the rest fails. */
  first?: Operation['run']
  /** How many calls of D1 the answer waits for; without it, all. What fails later changes nothing of it. */
  waitsFor?: number
  /** The code if a later call fails, instead of `code`. */
  later?: string
  /** The only code of a fault. */
  fault?: string
  /** How long a fault is remembered. */
  restMs?: number
  /** What the vault's environment has besides. */
  vars?: object
  /** The scope of the server that does it. */
  as?: Sent['as']
  /** Whose keys they are; a user's, if it is missing. */
  kind?: 'user' | 'team'
}

/** In each key that the operations know. */
export const KEY = 'sk-good-of-a-fault-test'
const NEW_KEY = { api_key: `${KEY}-new` }
const CALLER = 'fault-test'

export async function seedKeys(userId: string): Promise<void> {
  const owner = await ownerOf(await someUser(userId))
  await saveSlot(owner, 'default', { apiKey: `${KEY}-0`, verify: false })
  await saveSlot(owner, 'openai', { apiKey: `${KEY}-1`, verify: false })
}

/**
 * A context, and the end of what a call leaves for after its answer, all at once. It fails as that work does. What comes
 * later is another attempt at a count that D1 did not take, after some seconds: nobody waits for it.
 */
function someContext(changes: object) {
  const left: Promise<unknown>[] = []
  let isLater = false
  const waitUntil = (work: Promise<unknown>) => {
    if (!isLater) left.push(work)
    queueMicrotask(() => (isLater = true))
  }
  const context = Object.assign(createExecutionContext(), { waitUntil, ...changes })
  return { context, ended: async () => Promise.all(left) }
}

interface Sent {
  body?: object
  headers?: Record<string, string>
  /** The scope of a server that sends it. Without one, the user does. */
  as?: `vault:${ServerGrant}`
}

/** A request of the user, or of a server. */
function send(method: string, path: string, { body, headers, as }: Sent = {}): Operation['run'] {
  return async (userId, vault, given) => {
    const token = given ?? (await mintToken(claimsOf(userId, as)))
    const url = URL_BASE + path.replace(/:userId|:teamId/, readOwner(userId).id)
    const sent = { ...usualHeaders(token), ...headers }
    const init = { method, headers: sent, ...(body && { body: JSON.stringify(body) }) }
    const { context, ended } = someContext({})
    const response = await app.request(url, init, vault, context)
    const answer = await answerOf(response)
    await ended()
    return answer
  }
}

/** The claims of a server's token, or without a scope, of the owner's: of a team, those of an admin. */
export function claimsOf(userId: string, scope?: string): JWTPayload {
  if (scope !== undefined) return { sub: 'service', scope, client_id: 'flask-app' }
  const { kind, id } = readOwner(userId)
  const iat = inSeconds(0)
  if (kind === 'team') return { sub: 'admin', groups: [id], admin_of: [id], iat }
  return { sub: id, scope: 'relay', client_id: CALLER }
}

interface SentTo extends Sent {
  slot?: string
  query?: string
}

/** A request to a route of the API; without a slot, to the one for OpenAI. */
function http(id: OperationId, { slot = 'openai', query = '', ...sent }: SentTo = {}) {
  const { method, path } = ROUTES[id]
  return send(method.toUpperCase(), path.replace(':provider', slot) + query, sent)
}

/** Reads the response to its end. */
async function answerOf(response: Response): Promise<Answer> {
  const code = response.headers.get('X-Vault-Error') ?? 'ok'
  const bytes = await response.bytes().catch(() => null)
  if (bytes === null) return { code: 'broken off', text: '' }
  return { code, text: new TextDecoder().decode(bytes) }
}

function usualHeaders(token: string): Record<string, string> {
  return {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    'cf-connecting-ip': '192.0.2.1',
  }
}

type Method = (vault: KeyVault, userId: string) => Promise<object>

function binding(method: Method): Operation['run'] {
  return async (userId, vault) => {
    const props = {
      caller: CALLER,
      grants: ['use', 'reveal', 'users', 'support', 'save'],
      teams: true,
    }
    const { context, ended } = someContext({ props })
    const result = await method(new KeyVault(context, vault), userId)
    const response = 'response' in result ? result.response : result
    const answer =
      response instanceof Response
        ? await answerOf(response)
        : { code: 'code' in result ? String(result.code) : 'ok', text: JSON.stringify(result) }
    await ended()
    return answer
  }
}

function does(name: string, run: Operation['run'], more: Partial<Operation> = {}): Operation {
  return { name, run, code: 'ok', seed: seedKeys, ...more }
}

/** Of a server. */
function serves(
  name: string,
  id: OperationId,
  sent: SentTo & Required<Pick<Sent, 'as'>>,
  more: Partial<Operation> = {},
): Operation {
  return does(name, http(id, sent), { as: sent.as, ...more })
}

const UNCHECKED = '?verify=false'
const MODELS = `${PROVIDER}/v1/models`
/** The use is recorded after the answer. */
const USE = { waitsFor: 1 }
const nobody = async () => null

/** Keys, of which the one for OpenAI has these limits. */
function seedLimits(body: object): Operation['seed'] {
  return async (userId) => {
    await seedKeys(userId)
    await http('setLimits', { body })(userId, { ...env })
  }
}
const seedPaused = seedLimits({ paused: true })

/** A user with a key of the plain route. */
async function seedPlain(userId: string): Promise<void> {
  const owner = await ownerOf(await someUser(userId))
  await saveSlot(owner, 'default', { apiKey: `${KEY}-0`, verify: false })
}

/** A key for OpenAI with limits, and one of the plain route that was saved later. */
async function seedLater(userId: string): Promise<void> {
  await seedLimits({ paused: true, max_uses: { count: 5, per: 'day' } })(userId)
  const sql = `UPDATE api_keys SET updated_at = '2100-01-01T00:00:00.000Z'
    WHERE user_id = ?1 AND provider = 'default'`
  await env.DB.prepare(sql).bind(userId).run()
}

/** The vault got `DEFAULT_PROVIDER`, so the key of the plain route has to be moved. A look does nothing else. */
const MOVES = { vars: { DEFAULT_PROVIDER: 'openai' }, first: http('getKey') }
/** A call fails because the key is not moved, two move it, and the next one is the use. */
const MOVED_USE = { ...MOVES, waitsFor: 4 }

/** More events than an export reads at once. */
export async function seedEvents(userId: string): Promise<void> {
  await seedKeys(userId)
  await env.DB.prepare(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)
     INSERT INTO api_key_events (day, user_id, id, provider, event, actor)
     SELECT '2026-01-01', ?1, '2026-01-01T00:00:00.000Z' || i, 'openai', 'saved', 'import' FROM n`,
  )
    .bind(userId)
    .run()
}

const useRequest = (userId: string) =>
  new Request(MODELS, { headers: { 'X-Vault-User': userId, 'X-Vault-Provider': 'openai' } })

/** A team with a key for OpenAI. A team has no plain route. */
async function seedTeam(userId: string): Promise<void> {
  const owner = await ownerOf(await someUser(userId))
  await saveSlot(owner, 'openai', { apiKey: `${KEY}-1`, verify: false })
}

const TEAM = {
  kind: 'team',
  seed: seedTeam,
  vars: { JWT_TEAM_CLAIM: 'groups', JWT_TEAM_ADMIN_CLAIM: 'admin_of' },
} as const

const USERS = { as: 'vault:users' } as const
const SUPPORT = { as: 'vault:support' } as const
/** Into a slot that is empty. */
const SAVE = { as: 'vault:save', slot: 'acme', body: NEW_KEY } as const

/** Each route with its operations. Without one for a route, this does not type-check. */
const OF_ROUTES: { [Id in OperationId]: readonly [Operation, ...Operation[]] } = {
  getHealth: [does('the health', http('getHealth'), { fault: 'unhealthy', restMs: 5_001 })],
  getConfig: [does('the configuration', http('getConfig'))],
  getKey: [does('a look at the plain route', http('getKey'))],
  saveKey: [
    does('a save at the plain route', http('saveKey', { body: NEW_KEY })),
    does('a save of a new user', http('saveKey', { body: NEW_KEY }), {
      seed: nobody,
      vars: { AUTO_CREATE_USERS: 'true' },
    }),
  ],
  deleteKey: [does('a deletion at the plain route', http('deleteKey'))],
  listSlots: [
    does('the list', http('listSlots')),
    does('a list that moves a key', http('listSlots'), MOVES),
    serves('a list for support', 'listSlots', SUPPORT),
  ],
  getSlot: [
    does('a look at a slot', http('getSlot')),
    serves('a look by support', 'getSlot', SUPPORT),
    does('a refused token', http('getSlot', { headers: { Authorization: 'Bearer x' } }), {
      code: 'token_invalid',
    }),
  ],
  saveSlot: [
    does('a save', http('saveSlot', { query: UNCHECKED, body: NEW_KEY })),
    does('a save that is checked first', http('saveSlot', { body: NEW_KEY })),
    does(
      'a save that the provider rejects',
      http('saveSlot', { body: { api_key: 'sk-bad-fault' } }),
      { code: 'api_key_rejected' },
    ),
    does(
      'a save into a slot that has to be empty',
      http('saveSlot', { query: UNCHECKED, body: NEW_KEY, headers: { 'If-None-Match': '*' } }),
      { code: 'changed_meanwhile' },
    ),
    serves("an operator's save", 'saveSlot', { ...SAVE, query: UNCHECKED }),
    serves("an operator's save that is checked first", 'saveSlot', SAVE),
    does('a save that moves a key', http('saveSlot', { query: UNCHECKED, body: NEW_KEY }), {
      ...MOVES,
      seed: seedPlain,
    }),
  ],
  deleteSlot: [
    does('a deletion', http('deleteSlot')),
    serves('a deletion by support', 'deleteSlot', SUPPORT),
    does('a deletion that finds two keys', http('deleteSlot'), MOVES),
  ],
  setLimits: [
    does('a pause', http('setLimits', { body: { paused: true } })),
    serves('a pause by support', 'setLimits', { ...SUPPORT, body: { paused: true } }),
    does(
      'a change of limits',
      http('setLimits', { body: { paused: true, callers: ['binding:chat'] } }),
    ),
    does('another label', http('setLimits', { body: { label: 'work', position: 0 } })),
    does('a pause that finds a later key', http('setLimits', { body: { paused: false } }), {
      ...MOVES,
      seed: seedLater,
    }),
  ],
  assignKey: [does('an assignment', http('assignKey', { slot: 'acme' }))],
  verifySlot: [
    does('a check', http('verifySlot')),
    does('a check that moves a key', http('verifySlot'), { ...MOVES, seed: seedPlain }),
  ],
  listEvents: [
    does('the trail', http('listEvents')),
    does('the export of the trail', http('listEvents', { query: '?format=ndjson' }), {
      seed: seedEvents,
      waitsFor: 1,
      later: 'broken off',
    }),
    serves('the trail for support', 'listEvents', SUPPORT),
  ],
  listUsers: [serves('the users', 'listUsers', USERS)],
  addUser: [serves('an addition of a user', 'addUser', USERS, { seed: nobody })],
  getUser: [serves('a look at a user', 'getUser', USERS)],
  removeUser: [serves('a removal of a user', 'removeUser', USERS)],
  exportUser: [
    does('the export of a user', http('exportUser')),
    serves('an export for a server', 'exportUser', { as: 'vault:export' }),
    does('an export in pages', http('exportUser'), {
      seed: seedEvents,
      waitsFor: 1,
      later: 'broken off',
    }),
  ],
  listTeamSlots: [does('the list of a team', http('listTeamSlots'), TEAM)],
  getTeamSlot: [does('a look at a slot of a team', http('getTeamSlot'), TEAM)],
  saveTeamSlot: [
    does('a save of a team', http('saveTeamSlot', { query: UNCHECKED, body: NEW_KEY }), TEAM),
    does('a save of a new team', http('saveTeamSlot', { query: UNCHECKED, body: NEW_KEY }), {
      ...TEAM,
      seed: nobody,
    }),
  ],
  deleteTeamSlot: [does('a deletion of a team', http('deleteTeamSlot'), TEAM)],
  setTeamLimits: [
    does('a pause of a team', http('setTeamLimits', { body: { paused: true } }), TEAM),
  ],
  verifyTeamSlot: [does('a check of a team', http('verifyTeamSlot'), TEAM)],
  listTeamEvents: [does('the trail of a team', http('listTeamEvents'), TEAM)],
  getTeam: [does('a look at a team', http('getTeam'), TEAM)],
  changeTeam: [
    does('a change of a team', http('changeTeam', { body: { own_keys: false } }), TEAM),
    does('a change of a new team', http('changeTeam', { body: { own_keys: false } }), {
      ...TEAM,
      seed: nobody,
    }),
  ],
  removeTeam: [serves('a removal of a team', 'removeTeam', USERS, TEAM)],
}

const relayed = send('GET', '/relay/openai/v1/models')

/** Every request over HTTP. */
export const REQUESTS: readonly Operation[] = [
  ...Object.values(OF_ROUTES).flat(),
  does('a use over the relay', relayed, USE),
  does('a use of a paused key over the relay', relayed, {
    ...USE,
    seed: seedPaused,
    code: 'api_key_paused',
  }),
  does('a counted use over the relay', relayed, {
    ...USE,
    // It is counted before anything else is known.
    first: relayed,
    seed: seedLimits({ max_uses: { count: 5, per: 'day' } }),
  }),
  does('a use that moves a key', relayed, { ...MOVED_USE, seed: seedPlain }),
  does('a use that finds two keys', relayed, MOVED_USE),
  does('a use that finds a later key', relayed, {
    ...MOVED_USE,
    seed: seedLater,
    code: 'api_key_paused',
  }),
]

export const METHODS: readonly Operation[] = [
  does(
    'fetchWithApiKey',
    binding(async (vault, userId) => vault.fetchWithApiKey(userId, 'openai', new Request(MODELS))),
    USE,
  ),
  does(
    'fetch',
    binding(async (vault, userId) => vault.fetch(useRequest(userId))),
    USE,
  ),
  does(
    'getDecryptedApiKey',
    binding(async (vault, userId) => vault.getDecryptedApiKey(userId, 'openai')),
  ),
  does(
    'createUser',
    binding(async (vault, userId) => vault.createUser(userId)),
    { seed: nobody },
  ),
  does(
    'createUser of one who exists',
    binding(async (vault, userId) => vault.createUser(userId)),
  ),
  does(
    'deleteUser',
    binding(async (vault, userId) => vault.deleteUser(userId)),
  ),
  does(
    'hasUser',
    binding(async (vault, userId) => vault.hasUser(userId)),
  ),
  does(
    'getUser',
    binding(async (vault, userId) => vault.getUser(userId)),
  ),
  does(
    'listUsers',
    binding(async (vault) => vault.listUsers()),
  ),
  does(
    'saveKey',
    binding(async (vault, userId) => vault.saveKey(userId, 'acme', { apiKey: NEW_KEY.api_key })),
  ),
  does(
    'listSlots',
    binding(async (vault, userId) => vault.listSlots(userId)),
  ),
  does(
    'listEvents',
    binding(async (vault, userId) => vault.listEvents(userId)),
  ),
  does(
    'getTeam',
    binding(async (vault, team) => vault.getTeam(readOwner(team).id)),
    TEAM,
  ),
  does(
    'deleteTeam',
    binding(async (vault, team) => vault.deleteTeam(readOwner(team).id)),
    TEAM,
  ),
  does(
    'pauseKey',
    binding(async (vault, userId) => vault.pauseKey(userId, 'openai')),
  ),
  does(
    'deleteKey',
    binding(async (vault, userId) => vault.deleteKey(userId, 'openai')),
  ),
]

/** A user for the operation. The job that copies tombstones has run, but not lately. */
export async function someSubject({ seed, kind = 'user' }: Operation): Promise<string> {
  const userId = ownerText({ kind, id: `fault-${crypto.randomUUID()}` })
  await env.DB.exec("UPDATE heartbeat SET at = '2020-01-01T00:00:00.000Z'")
  await seed(userId)
  await rememberIdentities(userId)
  return userId
}

/** What D1 holds of a user after what the operation does first; what is there before, if it does nothing first. */
export async function stateBegun(operation: Operation): Promise<object> {
  const userId = await someSubject(operation)
  await operation.first?.(userId, { ...env, ...operation.vars })
  return stateOf(userId)
}
