/** The routes of the HTTP API: what each takes, and what it answers with. */

import type { Answers } from './answers.ts'

const KEY = '/api/users/:userId/api-key'
const SLOTS = `${KEY}s` as const
const SLOT = `${SLOTS}/:provider` as const

export interface Route {
  method: 'get' | 'put' | 'post' | 'patch' | 'delete'
  path: `/api/${string}`
  query: keyof Queries
  body: keyof Bodies
  answer: keyof Answers
  /** How the route uses entity tags (RFC 9110 §13): it answers with one, requires one, or both. */
  tags?: 'answers' | 'requires' | 'both'
}

const NOTHING = { query: 'None', body: 'None' } as const

/** By operation id, in the order of the reference page. */
export const ROUTES = {
  getKey: { ...NOTHING, method: 'get', path: KEY, answer: 'Key', tags: 'answers' },
  saveKey: {
    ...NOTHING,
    method: 'put',
    path: KEY,
    body: 'KeyBody',
    answer: 'SavedKey',
    tags: 'both',
  },
  deleteKey: { ...NOTHING, method: 'delete', path: KEY, answer: 'DeletedKey', tags: 'requires' },
  listSlots: { ...NOTHING, method: 'get', path: SLOTS, answer: 'SlotList' },
  getSlot: { ...NOTHING, method: 'get', path: SLOT, answer: 'Slot', tags: 'answers' },
  saveSlot: {
    method: 'put',
    path: SLOT,
    query: 'Verify',
    body: 'SlotBody',
    answer: 'SavedSlot',
    tags: 'both',
  },
  deleteSlot: { ...NOTHING, method: 'delete', path: SLOT, answer: 'DeletedSlot', tags: 'requires' },
  setLimits: {
    ...NOTHING,
    method: 'patch',
    path: SLOT,
    body: 'LimitsBody',
    answer: 'Slot',
    tags: 'both',
  },
  assignKey: {
    ...NOTHING,
    method: 'post',
    path: `${SLOT}/assign`,
    query: 'Verify',
    answer: 'SlotWithKey',
  },
  verifySlot: { ...NOTHING, method: 'post', path: `${SLOT}/verify`, answer: 'VerifiedSlot' },
  listEvents: {
    ...NOTHING,
    method: 'get',
    path: `${KEY}-events`,
    query: 'Events',
    answer: 'Events',
  },
  getConfig: { ...NOTHING, method: 'get', path: '/api/config', answer: 'Config' },
  getHealth: { ...NOTHING, method: 'get', path: '/api/health', answer: 'Health' },
} as const satisfies Record<string, Route>

export type Table = typeof ROUTES

export type OperationId = keyof Table
export type PathOf<Id extends OperationId> = Table[Id]['path']
export type MethodOf<Id extends OperationId> = Table[Id]['method']
export type QueryOf<Id extends OperationId> = Queries[Table[Id]['query']]
export type BodyOf<Id extends OperationId> = Bodies[Table[Id]['body']]
export type AnswerOf<Id extends OperationId> = Answers[Table[Id]['answer']]

/** The operations on a user's own keys. They need a token. */
export type OwnOperation = {
  [Id in OperationId]: PathOf<Id> extends `/api/users/:userId/${string}` ? Id : never
}[OperationId]

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
    max_uses?: { count: number; per: 'day' | 'month' } | null | undefined
    expires_at?: string | null | undefined
  }
}

interface KeyBody {
  api_key: string
  expires_at?: string | null | undefined
}
