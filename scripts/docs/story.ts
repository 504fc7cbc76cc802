/** The requests that docs/routes.md shows, in their order: each may need what those before it have done. */

import type { OperationId } from '../../src/shared/routes.ts'
import type { TokenName } from './vault.ts'

export interface Step {
  /** The path and the query. */
  path: string
  token?: TokenName
  body?: object
  /** Sends the entity tag of the latest or of the first answer to such a path. */
  ifMatch?: 'latest' | 'first'
  /** Where the documents say more. */
  see?: string
  /** Whether it uses a key, which the vault records after its answer. */
  isUse?: true
}

/** A request to a route, which {@link ROUTES} describes. */
export interface RouteStep extends Step {
  operation: OperationId
}

/** A request that the table of routes does not describe. */
export interface OtherStep extends Step {
  method: string
  title: string
  about: string
}

export interface Chapter {
  title: string
  about: string
  steps: readonly (RouteStep | OtherStep)[]
}

const DEMO = '/api/users/demo'
const ACME = '/api/teams/acme'
const KEY = { api_key: 'sk-proj-made-up-for-this-page-Qx7Z' }
const OTHER_KEY = { api_key: 'sk-ant-made-up-for-this-page-r3Jt' }
const TOKEN = { token: 'TOKEN' } as const
const ADMIN = { token: 'ADMIN_TOKEN' } as const
const MEMBER = { token: 'MEMBER_TOKEN' } as const
const SERVER = { token: 'SERVER_TOKEN' } as const

const NAMED = '[named keys](named-keys.md)'
const LIMITS = '[limits](key-life.md#limits)'
const ROLES = '[who may do what](teams.md#who-may-do-what)'

const USERS: Chapter = {
  title: 'Users',
  about:
    'A backend adds users before they save keys. It needs a token of its own: [Managing users from a backend](servers.md).',
  steps: [
    { operation: 'addUser', path: DEMO, ...SERVER },
    { operation: 'getUser', path: DEMO, ...SERVER },
    { operation: 'listUsers', path: '/api/users?limit=2', ...SERVER },
  ],
}

const KEYS: Chapter = {
  title: 'Keys of a user',
  about: "The user's own token is enough. Some of these routes take [a server's](servers.md) too.",
  steps: [
    {
      operation: 'saveSlot',
      path: `${DEMO}/api-keys/openai`,
      ...TOKEN,
      body: KEY,
      see: '[saving](api.md#saving)',
    },
    {
      operation: 'getSlot',
      path: `${DEMO}/api-keys/openai`,
      ...TOKEN,
      see: '[fields](api.md#fields)',
    },
    {
      operation: 'listSlots',
      path: `${DEMO}/api-keys`,
      ...TOKEN,
      see: '[the list](api.md#the-list)',
    },
    {
      operation: 'setLimits',
      path: `${DEMO}/api-keys/openai`,
      ...TOKEN,
      body: { callers: ['relay:chat'], max_uses: { count: 100, per: 'day' } },
      ifMatch: 'latest',
      see: `${LIMITS}, ${NAMED}`,
    },
    {
      operation: 'verifySlot',
      path: `${DEMO}/api-keys/openai/verify`,
      ...TOKEN,
      see: '[verify](api.md#verify)',
    },
    {
      title: 'Use a key through the relay',
      about:
        "The vault sends the request on to the provider, with the user's key in the place of the token. The answer is the provider's.",
      method: 'get',
      path: '/relay/openai/v1/models',
      ...TOKEN,
      isUse: true,
      see: '[the relay](relay.md)',
    },
    {
      operation: 'listEvents',
      path: `${DEMO}/api-key-events?limit=3`,
      ...TOKEN,
      see: '[events](events.md)',
    },
    { operation: 'saveKey', path: `${DEMO}/api-key`, ...TOKEN, body: OTHER_KEY },
    { operation: 'getKey', path: `${DEMO}/api-key`, ...TOKEN },
    {
      operation: 'assignKey',
      path: `${DEMO}/api-keys/anthropic/assign`,
      ...TOKEN,
      see: '[assign](api.md#assign)',
    },
    { operation: 'deleteKey', path: `${DEMO}/api-key`, ...TOKEN },
    { operation: 'deleteSlot', path: `${DEMO}/api-keys/anthropic`, ...TOKEN },
    { operation: 'exportUser', path: `${DEMO}/export`, ...TOKEN, see: '[export](export.md)' },
  ],
}

const TEAMS: Chapter = {
  title: 'Keys of a team',
  about:
    'The user `demo` administers the team `acme`, and `jane` is a member. Their tokens say so: [Keys of a team](teams.md).',
  steps: [
    {
      operation: 'changeTeam',
      path: ACME,
      ...ADMIN,
      body: { own_keys: true },
      see: '[settings](teams.md#settings)',
    },
    { operation: 'getTeam', path: ACME, ...MEMBER, see: '[settings](teams.md#settings)' },
    { operation: 'saveTeamSlot', path: `${ACME}/api-keys/openai`, ...ADMIN, body: KEY, see: ROLES },
    { operation: 'listTeamSlots', path: `${ACME}/api-keys`, ...MEMBER, see: ROLES },
    { operation: 'getTeamSlot', path: `${ACME}/api-keys/openai`, ...MEMBER, see: ROLES },
    {
      operation: 'setTeamLimits',
      path: `${ACME}/api-keys/openai`,
      ...ADMIN,
      body: { max_uses_per_member: { count: 20, per: 'day' } },
      see: "[limits of a team's key](teams.md#limits-of-a-teams-key)",
    },
    { operation: 'verifyTeamSlot', path: `${ACME}/api-keys/openai/verify`, ...ADMIN },
    { operation: 'listTeamEvents', path: `${ACME}/api-key-events?limit=2`, ...ADMIN },
    { operation: 'deleteTeamSlot', path: `${ACME}/api-keys/openai`, ...ADMIN },
    {
      operation: 'removeTeam',
      path: ACME,
      ...SERVER,
      see: '[remove a team](teams.md#remove-a-team)',
    },
  ],
}

const OPEN: Chapter = {
  title: 'Without a token',
  about: 'Anybody may ask for these.',
  steps: [
    { operation: 'getConfig', path: '/api/config', see: '[sign-in](sign-in.md)' },
    { operation: 'getHealth', path: '/api/health', see: '[health](monitor.md#health)' },
  ],
}

const REFUSALS: Chapter = {
  title: 'Refusals',
  about: 'Every refusal has this form. [Errors](errors.md) lists every `code`.',
  steps: [
    {
      title: 'A request without a token',
      about: 'The header `WWW-Authenticate` is in every 401.',
      method: 'get',
      path: `${DEMO}/api-keys`,
    },
    {
      title: 'Keys of another user',
      about: 'The path must name the user of the token.',
      method: 'get',
      path: '/api/users/jane/api-keys',
      ...TOKEN,
    },
    {
      title: 'A text that is not a key',
      about: '`reason` and, for a wrong character, `index` are for a frontend.',
      method: 'put',
      path: `${DEMO}/api-keys/openai`,
      ...TOKEN,
      body: { api_key: 'sk-proj-made-up with-white-space-7' },
      see: '[what cannot be a key](errors.md#what-cannot-be-a-key)',
    },
    {
      title: 'A key that the provider rejects',
      about: 'The key that was saved earlier stays.',
      method: 'put',
      path: `${DEMO}/api-keys/openai`,
      ...TOKEN,
      body: { api_key: 'sk-bad-made-up-for-this-page-3xYz' },
    },
    {
      title: 'A change of a key that another request has changed',
      about:
        'The slot has another entity tag than the one in `If-Match`, which is of an earlier answer.',
      method: 'delete',
      path: `${DEMO}/api-keys/openai`,
      ...TOKEN,
      ifMatch: 'first',
      see: '[changing only what you saw](api.md#changing-only-what-you-saw)',
    },
  ],
}

const REMOVAL: Chapter = {
  title: 'The end of a user',
  about: 'A backend removes users who leave.',
  steps: [{ operation: 'removeUser', path: DEMO, ...SERVER }],
}

export const CHAPTERS: readonly Chapter[] = [USERS, KEYS, TEAMS, OPEN, REFUSALS, REMOVAL]
