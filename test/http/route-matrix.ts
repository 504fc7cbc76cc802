/** Users' routes × tokens: what each route answers to each token; `team-routes.test.ts` has those of teams. No verdict is computed by the code under test. */

import { createExecutionContext } from 'cloudflare:test'
import { inSeconds } from '../../scripts/lib/token.ts'
import { namesIn } from '../../src/shared/json.ts'
import { ROUTES, type GuardedOperation, type TeamOperation } from '../../src/shared/routes.ts'
import { env } from '../isolate.ts'
import { app, interceptD1, mintToken, someKey, someKeyUser, URL_BASE } from '../support.ts'

/** Which tokens a route takes. All but `users` and `list` take the owner's too. `list` is about no user. */
type Group = 'owner' | 'support' | 'save' | 'users' | 'list' | 'export'

/** What the routes of each group answer. */
type Answers = Record<Group, string>

interface Line {
  group: Group
  slot?: string
  body?: object
  /** What it answers to whom it lets in; without it, 200. */
  answer?: string
}

type UserOperation = Exclude<GuardedOperation, TeamOperation>

/** A line for each route of users: without one, this does not type-check. The user has a key for OpenAI. */
export const LINES: { [Id in UserOperation]: Line } = {
  getKey: { group: 'support' },
  saveKey: { group: 'save', body: { api_key: someKey() } },
  deleteKey: { group: 'support' },
  listSlots: { group: 'support' },
  getSlot: { group: 'support' },
  saveSlot: { group: 'save', slot: 'acme', body: { api_key: someKey() } },
  deleteSlot: { group: 'support', slot: 'acme' },
  setLimits: { group: 'support', body: { paused: true } },
  assignKey: { group: 'owner', slot: 'anthropic', answer: '404 no_api_key' },
  verifySlot: { group: 'owner', slot: 'anthropic' },
  listEvents: { group: 'support' },
  exportUser: { group: 'export' },
  listUsers: { group: 'list' },
  addUser: { group: 'users' },
  getUser: { group: 'users' },
  removeUser: { group: 'users' },
}

const IN = '200'
const OTHERS = '403 not_your_own'
const LACKS = '403 scope_missing'
const INVALID = '401 token_invalid'
const ABSENT = '404 not_found'

function always(answer: string, more: Partial<Answers> = {}): Answers {
  const keys = { owner: answer, support: answer, save: answer, export: answer }
  return { ...keys, users: answer, list: answer, ...more }
}

const OWNER = always(IN, { users: LACKS, list: LACKS })
/** The list of all users is nobody's own. */
const LISTS = { ...OWNER, list: IN }
const OTHER_USER = always(OTHERS, { users: LACKS, list: LACKS })
/** The token has the client of a server, or a scope. */
const ALMOST = always(LACKS, { owner: OTHERS })

/** What a server gets by its scopes. */
const GRANTED: Record<string, Answers> = {
  'vault:users': { ...ALMOST, users: IN, list: IN },
  'vault:support': { ...ALMOST, support: IN },
  'vault:save': { ...ALMOST, save: IN },
  'vault:export': { ...ALMOST, export: IN },
  'openid vault:save vault:users': { ...ALMOST, save: IN, users: IN, list: IN },
  'vault:users vault:support vault:save vault:export': always(IN, { owner: OTHERS }),
}
export const SCOPES = namesIn(GRANTED)

/** Scopes that are none of a server. */
const NONE = [
  '',
  'relay',
  'vault',
  'vault:',
  'vault: save',
  'vault:save,vault:users',
  'vault:*',
  'vault:savex',
  'xvault:save',
  'VAULT:save',
  'vault:Save',
  'vault:use',
  'vault:reveal',
]

/** The claims of a token for the keys of `owner`; null for no token. */
type ClaimsFor = (owner: string) => Record<string, unknown> | null
type Row = [sender: string, claims: ClaimsFor, answers: Answers, vars?: object]

/** A row for each of the scopes. `answers` are those of all, or by the scope. */
function each(
  sender: string,
  claims: (owner: string) => object,
  scopes: Record<string, Answers>,
  vars: object = {},
): Row[] {
  return Object.entries(scopes).map(([scope, answers]) => [
    `${sender} with the scope "${scope}"`,
    (owner) => ({ ...claims(owner), ...(scope !== '' && { scope }) }),
    answers,
    vars,
  ])
}

const all = (scopes: readonly string[], answers: Answers) =>
  Object.fromEntries(scopes.map((scope) => [scope, answers]))

const USERS = SCOPES.filter((scope) => scope.includes('vault:users'))
const EVERY = [...NONE, ...SCOPES]
const ANYBODY = { ...all(NONE, OTHER_USER), ...all(SCOPES, ALMOST) }
export const LISTED = { sub: 'service', client_id: 'flask-app' }
const server = (more: object) => () => ({ ...LISTED, ...more })
const ONLY_SAVE = { ...ALMOST, save: IN }

const TOKENS: Row[] = [
  ...each('the owner', (sub) => ({ sub }), all(EVERY, OWNER)),
  ...each('the owner through a server', (sub) => ({ ...LISTED, sub }), {
    ...all(EVERY, OWNER),
    ...all(USERS, LISTS),
  }),
  ...each('another user', () => ({ sub: 'other' }), ANYBODY),
  ...each('a client that is not listed', server({ client_id: 'flask-app2' }), ANYBODY),
  ...each('a client that is not a name', server({ client_id: ['flask-app'] }), ANYBODY),
  ...each('a server', server({}), { ...all(NONE, ALMOST), ...GRANTED }),
  ...each('a server without a user', server({ sub: undefined }), {
    ...all(NONE, always(INVALID)),
    ...GRANTED,
  }),
  ['a server that azp names', () => ({ azp: 'flask-app', scope: 'vault:save' }), ONLY_SAVE],
  ['a server with another azp', server({ azp: 'spa', scope: 'vault:save' }), always(INVALID)],
  ['a server with scp as a text', server({ scp: 'openid vault:save' }), ONLY_SAVE],
  ['a server with scp as a list', server({ scp: ['openid', 'vault:save'] }), ONLY_SAVE],
  ['a server with scp as lists', server({ scp: [['vault:save']] }), ALMOST],
  ['a server with permissions', server({ permissions: ['vault:save'] }), ONLY_SAVE],
  ['a server with permissions as a text', server({ permissions: 'vault:save' }), ALMOST],
  ['a server with a role', server({ roles: ['vault:save'] }), ALMOST],
  ['a server with a user id that none has', server({ sub: '..', scope: 'vault:save' }), ONLY_SAVE],
  ['nobody', () => null, always('401 token_missing')],
  [
    'a server whose token has expired',
    server({ scope: 'vault:save', exp: inSeconds(-60) }),
    always('401 token_expired'),
  ],
  [
    'a server with a refresh token',
    server({ scope: 'vault:save', type: 'refresh' }),
    always(INVALID),
  ],
]

/** Without servers, there are no such routes. */
const NO_LIST = { users: ABSENT, list: ABSENT }
const OFF = { MANAGE_CLIENTS: '', MANAGE_SCOPE: '' }
const WITHOUT: Row[] = [
  ...each('the owner', (sub) => ({ sub }), all(EVERY, always(IN, NO_LIST)), OFF),
  ...each('a server', server({}), all(EVERY, always(OTHERS, NO_LIST)), OFF),
  ...each(
    'a server without a user',
    server({ sub: undefined }),
    all(EVERY, always(INVALID, NO_LIST)),
    OFF,
  ),
  ['nobody', () => null, always('401 token_missing', NO_LIST), OFF],
]

/** With JWT_SCOPE, a user's token needs it, and a server's does not. */
const OWN = { JWT_SCOPE: 'own' }
const REQUIRED: Row[] = [
  ...each('the owner', (sub) => ({ sub }), { own: OWNER, ...all(NONE, always(INVALID)) }, OWN),
  ...each('another user', () => ({ sub: 'other' }), { own: OTHER_USER, '': always(INVALID) }, OWN),
  ...each('a server', server({}), { ...all(NONE, always(INVALID)), ...GRANTED }, OWN),
  // It is the owner's then.
  ...each(
    'the owner through a server',
    (sub) => ({ ...LISTED, sub }),
    {
      ...all(SCOPES, always(INVALID, { users: LACKS, list: LACKS })),
      ...all(USERS, always(INVALID, { users: LACKS, list: IN })),
    },
    OWN,
  ),
]

/** What is asked of a vault with servers, with none, and with servers and JWT_SCOPE. */
const VAULTS = { servers: TOKENS, 'no servers': WITHOUT, 'servers and JWT_SCOPE': REQUIRED }

export const ROWS = Object.entries(VAULTS).flatMap(([vault, rows]) =>
  rows.map(([sender, ...rest]) => [sender, vault, ...rest] as const),
)

/** What the routes answer to a token, and what they should. */
export async function answersTo([, , claimsFor, answers, vars]: (typeof ROWS)[number]) {
  const isIn = Object.values(answers).includes(IN)
  const owner = isIn ? await someKeyUser(someKey()) : 'jane'
  const claims = claimsFor(owner)
  const token = claims === null ? null : await mintToken(claims)
  const ask = isolateWith(vars)
  const answered: Record<string, string> = {}
  const expected: Record<string, string> = {}
  for (const id of namesIn(LINES)) {
    const { group, answer = IN } = LINES[id]
    // oxlint-disable-next-line no-await-in-loop -- the user's key is saved, paused and deleted, in this order
    answered[id] = await ask(id, owner, token)
    expected[id] = answers[group] === IN ? answer : `${answers[group]}, without D1`
  }
  return { answered, expected }
}

/** Asks for the keys of a user: the status and the code of the answer, and whether D1 was not called. */
export function isolateWith(vars: object = {}) {
  let trips = 0
  const DB = interceptD1(async (trip) => {
    trips += 1
    return trip()
  })
  const vault = { ...env, ...vars, DB }
  return async (id: UserOperation, owner: string, token: string | null): Promise<string> => {
    const { method, path } = ROUTES[id]
    const { slot = 'openai', body } = LINES[id]
    trips = 0
    const url = path.replace(':userId', owner).replace(':provider', slot)
    const query = id === 'saveSlot' ? '?verify=false' : ''
    const init = {
      method: method.toUpperCase(),
      headers: { ...(token !== null && { Authorization: `Bearer ${token}` }), ...JSON_BODY },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }
    const context = createExecutionContext()
    const response = await app.request(URL_BASE + url + query, init, vault, context)
    await response.text()
    const code = response.headers.get('X-Vault-Error')
    const answer = code === null ? String(response.status) : `${response.status} ${code}`
    return trips === 0 ? `${answer}, without D1` : answer
  }
}

const JSON_BODY = { 'Content-Type': 'application/json' }
