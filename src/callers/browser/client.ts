/** `createVaultClient`: each route that a browser may call with the token of its user, as a method. */

import type { AnswerOf, BrowserOperation } from '../../shared/routes.ts'
import { pathOf, request, type Access, type Call, type PathTo, type Sent } from './exchange.ts'
import type { GetToken } from './get-token.ts'
import type { ChangeOptions, CheckOptions, Options, TeamVault, UserVault } from './methods.ts'
import { inTime, LIMIT_MS } from './time-limit.ts'
import { fetchTrail, fetchUser, search } from './trail.ts'

/** What a client needs to know. */
export interface ClientOptions {
  /** The address of the vault, such as `https://vault.example.com`. */
  baseUrl: string
  /** Returns the access token of the user. It is called for each request, and once more after a 401, with `refresh`. */
  getToken: GetToken
  /** How long a request may take, in milliseconds; by default 30 s. */
  limitMs?: number | undefined
  /**
   * How keys begin; by default, those of the built-in providers. A label that begins so is refused before it is sent: it may be a
   * key, and paths are logged.
   */
  keyPrefixes?: readonly string[] | undefined
}

/**
 * A client for the keys of a user, or of a team. Its methods return the answers as the API sends them.
 *
 * @example
 * const vault = createVaultClient({ baseUrl: 'https://vault.example.com', userId, getToken })
 * const { api_keys } = await vault.listSlots()
 */
export function createVaultClient(options: ClientOptions & { userId: string }): UserVault
export function createVaultClient(options: ClientOptions & { teamId: string }): TeamVault
export function createVaultClient(
  options: ClientOptions & { userId?: string; teamId?: string },
): UserVault | TeamVault {
  const { userId = '', teamId } = options
  return teamId === undefined
    ? userMethods(connect(options, 'users', userId))
    : teamMethods(connect(options, 'teams', teamId))
}

/** The `etag` of a slot as an answer shows it; null if the slot is empty. A slot that is not in the list is empty. */
export function etagOf(slot: { has_api_key: boolean; etag?: string } | undefined): string | null {
  return slot?.etag ?? null
}

/** A timer with more milliseconds fires at once. */
const LONGEST_MS = 2 ** 31 - 1

type Connection = ReturnType<typeof connect>

function connect(options: ClientOptions, kind: Access['kind'], id: string) {
  const { baseUrl, getToken, limitMs = LIMIT_MS, keyPrefixes } = options
  const beginnings = keyPrefixes ?? KEY_PREFIXES.flatMap(({ key_prefixes: prefixes }) => prefixes)
  const access = { baseUrl, kind, id, getToken }
  /** Does the work in time. */
  const run = async <Answer>(
    { signal: given }: Options,
    work: (call: Call) => Promise<Answer>,
  ): Promise<Answer> =>
    inTime(async (signal) => work({ access, signal }), Math.min(limitMs, LONGEST_MS), given)
  const ask = async <Id extends BrowserOperation>(
    path: PathTo<Id>,
    sent: Sent<Id>,
    { signal, etag }: ChangeOptions = {},
  ): Promise<AnswerOf<Id>> =>
    run({ signal }, async (call) => request(call, path, { ...sent, etag }))
  return { run, ask, pathTo: (name: string) => pathOf({ name, keyPrefixes: beginnings }) }
}

const GET = { method: 'GET' } as const
const POST = { method: 'POST' } as const
const DELETE = { method: 'DELETE' } as const

function userMethods({ ask, run, pathTo }: Connection): UserVault {
  return {
    getKey: async (options) => ask<'getKey'>('/api-key', GET, options),
    saveKey: async (body, options) => ask<'saveKey'>('/api-key', { method: 'PUT', body }, options),
    deleteKey: async (options) => ask<'deleteKey'>('/api-key', DELETE, options),
    listSlots: async (options) => ask<'listSlots'>('/api-keys', GET, options),
    getSlot: async (slot, options) => ask<'getSlot'>(pathTo(slot), GET, options),
    saveSlot: async (slot, body, options) =>
      ask<'saveSlot'>(`${pathTo(slot)}${check(options)}`, { method: 'PUT', body }, options),
    deleteSlot: async (slot, options) => ask<'deleteSlot'>(pathTo(slot), DELETE, options),
    setLimits: async (slot, body, options) =>
      ask<'setLimits'>(pathTo(slot), { method: 'PATCH', body }, options),
    assignKey: async (slot, options) =>
      ask<'assignKey'>(`${pathTo(slot)}/assign${check(options)}`, POST, options),
    verifySlot: async (slot, options) => ask<'verifySlot'>(`${pathTo(slot)}/verify`, POST, options),
    listEvents: async ({ signal, ...query } = {}) =>
      ask<'listEvents'>(`/api-key-events${search(query)}`, GET, { signal }),
    downloadEvents: async ({ signal, ...query } = {}) =>
      fetchTrail(async (work) => run({ signal }, work), query),
    downloadUser: async (options = {}) => fetchUser(async (work) => run(options, work)),
  }
}

function teamMethods({ ask, run, pathTo }: Connection): TeamVault {
  return {
    listSlots: async (options) => ask<'listTeamSlots'>('/api-keys', GET, options),
    getSlot: async (slot, options) => ask<'getTeamSlot'>(pathTo(slot), GET, options),
    saveSlot: async (slot, body, options) =>
      ask<'saveTeamSlot'>(`${pathTo(slot)}${check(options)}`, { method: 'PUT', body }, options),
    deleteSlot: async (slot, options) => ask<'deleteTeamSlot'>(pathTo(slot), DELETE, options),
    setLimits: async (slot, body, options) =>
      ask<'setTeamLimits'>(pathTo(slot), { method: 'PATCH', body }, options),
    verifySlot: async (slot, options) =>
      ask<'verifyTeamSlot'>(`${pathTo(slot)}/verify`, POST, options),
    listEvents: async ({ signal, ...query } = {}) =>
      ask<'listTeamEvents'>(`/api-key-events${search(query)}`, GET, { signal }),
    downloadEvents: async ({ signal, ...query } = {}) =>
      fetchTrail(async (work) => run({ signal }, work), query),
    getTeam: async (options) => ask<'getTeam'>('', GET, options),
    changeTeam: async (body, options) => ask<'changeTeam'>('', { method: 'PATCH', body }, options),
  }
}

/** The query of a save. */
function check({ verify }: CheckOptions = {}): '' | `?${string}` {
  return verify === undefined ? '' : `?verify=${verify}`
}
