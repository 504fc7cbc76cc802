/** The routes of the HTTP API: what each takes, and what it answers with. */

import type { Answers } from './answers.ts'
import type { ServerGrant } from './caller.ts'

const USERS = '/api/users'
const USER = `${USERS}/:userId` as const
const KEY = `${USER}/api-key` as const
const SLOTS = `${KEY}s` as const
const SLOT = `${SLOTS}/:provider` as const
const TEAM = '/api/teams/:teamId'
const TEAM_SLOTS = `${TEAM}/api-keys` as const
const TEAM_SLOT = `${TEAM_SLOTS}/:provider` as const

export interface Route {
  method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  path: `/api/${string}`
  query: keyof Queries
  body: keyof Bodies
  /**
   * Whose tokens it takes: those of the user in the path, of the members or the admins of the team in the path, and of servers
   * with a grant. Empty: it needs no token.
   */
  tokens: readonly ('owner' | 'member' | 'admin' | ServerGrant)[]
  /** The media type of the answer; JSON if it is missing. With `ndjson`, the answer is one of its lines. */
  format?: 'ndjson'
  /** How the route uses entity tags (RFC 9110 §13): it answers with one, requires one, or both. */
  tags?: 'answers' | 'requires' | 'both'
  /** Whether it changes who may use a key, and how. Its answer may have `effective_within_s`. */
  changesUse?: true
}

const NOTHING = { query: 'None', body: 'None' } as const

const SUPPORTED = { tokens: ['owner', 'support'] } as const
const CHANGES = { changesUse: true } as const
const SAVED = { ...CHANGES, tokens: ['owner', 'save'], tags: 'both' } as const
const DELETED = {
  ...NOTHING,
  ...SUPPORTED,
  ...CHANGES,
  method: 'delete',
  tags: 'requires',
} as const
const SERVER = { ...NOTHING, tokens: ['users'] } as const
const SEEN = { tokens: ['member', 'support'] } as const
const OPEN = { ...NOTHING, tokens: [] } as const

const OF_USERS = {
  getKey: { ...NOTHING, ...SUPPORTED, method: 'get', path: KEY, tags: 'answers' },
  saveKey: { ...NOTHING, ...SAVED, method: 'put', path: KEY, body: 'KeyBody' },
  deleteKey: { ...DELETED, path: KEY },
  listSlots: { ...NOTHING, ...SUPPORTED, method: 'get', path: SLOTS },
  getSlot: { ...NOTHING, ...SUPPORTED, method: 'get', path: SLOT, tags: 'answers' },
  saveSlot: {
    ...SAVED,
    method: 'put',
    path: SLOT,
    query: 'Verify',
    body: 'SlotBody',
  },
  deleteSlot: { ...DELETED, path: SLOT },
  setLimits: {
    ...NOTHING,
    ...SUPPORTED,
    ...CHANGES,
    method: 'patch',
    path: SLOT,
    body: 'LimitsBody',
    tags: 'both',
  },
  assignKey: {
    ...NOTHING,
    ...CHANGES,
    method: 'post',
    path: `${SLOT}/assign`,
    query: 'Verify',
    tokens: ['owner'],
  },
  verifySlot: {
    ...NOTHING,
    method: 'post',
    path: `${SLOT}/verify`,
    tokens: ['owner'],
  },
  listEvents: {
    ...NOTHING,
    ...SUPPORTED,
    method: 'get',
    path: `${KEY}-events`,
    query: 'Events',
  },
  exportUser: {
    ...NOTHING,
    method: 'get',
    path: `${USER}/export`,
    query: 'Export',
    format: 'ndjson',
    tokens: ['owner', 'export'],
  },
  listUsers: { ...SERVER, method: 'get', path: USERS, query: 'Users' },
  addUser: { ...SERVER, method: 'put', path: USER },
  getUser: { ...SERVER, method: 'get', path: USER },
  removeUser: { ...SERVER, ...CHANGES, method: 'delete', path: USER },
} as const

/** The routes of a team are those of a user, with another owner and other tokens. */
const OF_TEAMS = {
  listTeamSlots: { ...OF_USERS.listSlots, ...SEEN, path: TEAM_SLOTS },
  getTeamSlot: { ...OF_USERS.getSlot, ...SEEN, path: TEAM_SLOT },
  saveTeamSlot: {
    ...OF_USERS.saveSlot,
    path: TEAM_SLOT,
    tokens: ['admin', 'save'],
  },
  deleteTeamSlot: {
    ...OF_USERS.deleteSlot,
    path: TEAM_SLOT,
    tokens: ['admin', 'support'],
  },
  setTeamLimits: { ...OF_USERS.setLimits, path: TEAM_SLOT, tokens: ['admin', 'support'] },
  verifyTeamSlot: { ...OF_USERS.verifySlot, path: `${TEAM_SLOT}/verify`, tokens: ['admin'] },
  listTeamEvents: {
    ...OF_USERS.listEvents,
    ...SEEN,
    path: `${TEAM}/api-key-events`,
  },
  getTeam: { ...NOTHING, method: 'get', path: TEAM, tokens: ['member', 'users'] },
  changeTeam: {
    ...NOTHING,
    ...CHANGES,
    method: 'patch',
    path: TEAM,
    body: 'TeamBody',
    tokens: ['admin'],
  },
  removeTeam: { ...SERVER, ...CHANGES, method: 'delete', path: TEAM },
} as const

/** By operation id, in the order of the reference page. */
export const ROUTES = {
  ...OF_USERS,
  ...OF_TEAMS,
  getConfig: { ...OPEN, method: 'get', path: '/api/config' },
  getHealth: { ...OPEN, method: 'get', path: '/api/health' },
} as const satisfies Record<string, Route>

/** What each operation answers with, by its name. Types and the OpenAPI document read it, and the Worker leaves it out. */
export const ANSWER_NAMES = {
  getKey: 'Key',
  saveKey: 'SavedKey',
  deleteKey: 'DeletedKey',
  listSlots: 'SlotList',
  getSlot: 'Slot',
  saveSlot: 'SavedSlot',
  deleteSlot: 'DeletedSlot',
  setLimits: 'ChangedSlot',
  assignKey: 'AssignedSlot',
  verifySlot: 'VerifiedSlot',
  listEvents: 'Events',
  exportUser: 'ExportLine',
  listUsers: 'Users',
  addUser: 'AddedUser',
  getUser: 'User',
  removeUser: 'RemovedUser',
  listTeamSlots: 'TeamSlotList',
  getTeamSlot: 'TeamSlot',
  saveTeamSlot: 'SavedTeamSlot',
  deleteTeamSlot: 'DeletedTeamSlot',
  setTeamLimits: 'ChangedSlot',
  verifyTeamSlot: 'VerifiedSlot',
  listTeamEvents: 'TeamEvents',
  getTeam: 'Team',
  changeTeam: 'ChangedTeam',
  removeTeam: 'RemovedTeam',
  getConfig: 'Config',
  getHealth: 'Health',
} as const satisfies Record<keyof typeof ROUTES, keyof Answers>

export type Table = typeof ROUTES

export type OperationId = keyof Table
export type PathOf<Id extends OperationId> = Table[Id]['path']
export type MethodOf<Id extends OperationId> = Table[Id]['method']
export type QueryOf<Id extends OperationId> = Queries[Table[Id]['query']]
export type BodyOf<Id extends OperationId> = Bodies[Table[Id]['body']]
/** The format of the answer, as Hono's client names it. */
export type FormatOf<Id extends OperationId> = Table[Id] extends { format: infer Format }
  ? Format
  : 'json'
export type AnswerOf<Id extends OperationId> = Answers[(typeof ANSWER_NAMES)[Id]]

/** The operations that need a token. */
export type GuardedOperation = {
  [Id in OperationId]: Table[Id]['tokens'] extends readonly [] ? never : Id
}[OperationId]

/** The operations that a user may use with their own keys. */
export type OwnOperation = {
  [Id in OperationId]: 'owner' extends Table[Id]['tokens'][number] ? Id : never
}[OperationId]

export type TeamOperation = {
  [Id in OperationId]: PathOf<Id> extends `${typeof TEAM}${string}` ? Id : never
}[OperationId]

/** The operations that a member or an admin may use with the keys of their team. */
export type MemberOperation = {
  [Id in OperationId]: Table[Id]['tokens'][number] & ('member' | 'admin') extends never ? never : Id
}[OperationId]

/** The operations of a browser with the token of its user. */
export type BrowserOperation = OwnOperation | MemberOperation

/** Which events, in any form and number. */
export type EventFilter = Omit<Queries['Events'], 'format' | 'limit'>

/** The queries by their names. */
export interface Queries {
  None: undefined
  Verify: { verify?: 'true' | 'false' | undefined }
  Events: {
    provider?: string | undefined
    cursor?: string | undefined
    from?: string | undefined
    to?: string | undefined
    limit?: string | undefined
    format?: 'json' | 'ndjson' | undefined
  }
  Users: { cursor?: string | undefined; limit?: string | undefined }
  Export: { cursor?: string | undefined }
}

/** The bodies of requests by their names in the OpenAPI document. */
export interface Bodies {
  None: undefined
  KeyBody: KeyBody
  SlotBody: KeyBody & { base_url?: string | undefined }
  LimitsBody: {
    paused?: boolean | undefined
    /** Each is `binding:NAME` or `relay:NAME`. */
    callers?: string[] | null | undefined
    max_uses?: Maximum | null | undefined
    /** Of a team's key. */
    max_uses_per_member?: Maximum | null | undefined
    expires_at?: string | null | undefined
    /** A body with `label` or `position` has none of the other fields. */
    label?: string | null | undefined
    position?: number | undefined
  }
  TeamBody: { own_keys?: boolean | undefined; tokens_since?: string | undefined }
}

interface Maximum {
  count: number
  per: 'day' | 'month'
}

interface KeyBody {
  api_key: string
  expires_at?: string | null | undefined
}
