/** Hono's typed client of the vault: the types of its routes, of their bodies and of their errors. */

import { hc, type InferRequestType, type InferResponseType } from 'hono/client'
import type { BlankInput, ExtractSchema, MergeSchemaPath } from 'hono/types'
import type { ClientErrorStatusCode, ServerErrorStatusCode } from 'hono/utils/http-status'
import { expect, expectTypeOf, it } from 'vitest'
import type { AppType, ErrorAnswer, Routes } from '../../src/callers/client.ts'
import type { apiKeys } from '../../src/http/api-keys.ts'
import type {
  AssignedAnswer,
  ConfigAnswer,
  DeletedAnswer,
  EventsAnswer,
  ExportLine,
  HealthAnswer,
  KeyAnswer,
  KeyFields,
  ListAnswer,
  MemberSlot,
  SavedAnswer,
  SavedFields,
  SlotAnswer,
  TeamAnswer,
  UserAnswer,
  UsersAnswer,
  VerifyAnswer,
} from '../../src/shared/answers.ts'
import { env } from '../isolate.ts'
import { app, mintToken, someUser } from '../support.ts'

/** A type without its intersections, which a comparison of types would see. */
type Plain<T> = T extends object ? { [Name in keyof T]: Plain<T[Name]> } : T

/** What is published, route by route. */
type Published = {
  '/api/health': { $get: Endpoint<BlankInput, HealthAnswer> }
  '/api/config': { $get: Endpoint<BlankInput, ConfigAnswer> }
  '/api/users/:userId/api-key': {
    $get: Endpoint<UserPath, KeyAnswer>
    $put: Endpoint<UserPath & Json<KeyBody>, Change<SavedAnswer<KeyFields>>>
    $delete: Endpoint<UserPath, Change<DeletedAnswer<object>>>
  }
  '/api/users/:userId/api-keys': { $get: Endpoint<UserPath, ListAnswer> }
  '/api/users/:userId/api-keys/:provider': {
    $get: Endpoint<SlotPath, SlotAnswer>
    $put: Endpoint<
      SlotPath & VerifyQuery & Json<SlotBody>,
      Change<SavedAnswer<SavedFields & ProviderName>>
    >
    $delete: Endpoint<SlotPath, Change<DeletedAnswer<ProviderName & NoKey>>>
    $patch: Endpoint<SlotPath & Json<LimitsBody>, Change<SlotAnswer>>
  }
  '/api/users/:userId/api-keys/:provider/assign': {
    $post: Endpoint<SlotPath & VerifyQuery, Change<AssignedAnswer>>
  }
  '/api/users/:userId/api-keys/:provider/verify': { $post: Endpoint<SlotPath, VerifyAnswer> }
  '/api/users': { $get: Endpoint<UsersQuery, UsersAnswer> }
  '/api/users/:userId': {
    $put: Endpoint<UserPath, { user_id: string; created: boolean }>
    $get: Endpoint<UserPath, UserAnswer>
    $delete: Endpoint<UserPath, Change<{ user_id: string; deleted: boolean }>>
  }
  '/api/users/:userId/api-key-events': { $get: Endpoint<UserPath & EventsQuery, EventsAnswer> }
  '/api/teams/:teamId/api-keys': { $get: Endpoint<TeamPath, TeamKeys> }
  '/api/teams/:teamId/api-keys/:provider': {
    $get: Endpoint<TeamSlotPath, SlotAnswer | MemberSlot>
    $put: Endpoint<
      TeamSlotPath & VerifyQuery & Json<SlotBody>,
      Change<OfTeam<SavedAnswer<SavedFields & ProviderName>>>
    >
    $delete: Endpoint<TeamSlotPath, Change<OfTeam<DeletedAnswer<ProviderName & NoKey>>>>
    $patch: Endpoint<TeamSlotPath & Json<LimitsBody>, Change<SlotAnswer>>
  }
  '/api/teams/:teamId/api-keys/:provider/verify': { $post: Endpoint<TeamSlotPath, VerifyAnswer> }
  '/api/teams/:teamId/api-key-events': {
    $get: Endpoint<TeamPath & EventsQuery, Omit<EventsAnswer, 'user_id'> & TeamId>
  }
  '/api/teams/:teamId': {
    $get: Endpoint<TeamPath, TeamAnswer>
    $patch: Endpoint<TeamPath & Json<TeamBody>, Change<TeamAnswer>>
    $delete: Endpoint<TeamPath, Change<TeamId & { deleted: boolean }>>
  }
  '/api/users/:userId/export': { $get: Endpoint<UserPath & ExportQuery, ExportLine, 'ndjson'> }
}

type Endpoint<Input, Output, Format = 'json'> =
  | { input: Input; output: Output; outputFormat: Format; status: 200 }
  | { input: Input; output: ErrorAnswer; outputFormat: 'json'; status: ErrorStatus }

type ErrorStatus = ClientErrorStatusCode | ServerErrorStatusCode

/** The answer to a change of who may use a key. */
type Change<Answer> = Answer & { effective_within_s?: number }

interface ProviderName {
  provider: string
}

interface UserPath {
  param: { userId: string }
}

interface SlotPath {
  param: { userId: string } & ProviderName
}

interface TeamId {
  team_id: string
}

interface TeamKeys extends TeamId {
  api_keys: ListAnswer['api_keys'] | MemberSlot[]
}

type OfTeam<Answer extends { message: string; user: object }> = TeamId &
  Pick<Answer, 'message'> & { team: Answer['user'] }

interface TeamPath {
  param: { teamId: string }
}

interface TeamSlotPath {
  param: { teamId: string } & ProviderName
}

interface TeamBody {
  own_keys?: boolean | undefined
  tokens_since?: string | undefined
}

interface Json<Body> {
  json: Body
}

interface KeyBody {
  api_key: string
  expires_at?: string | null | undefined
}

interface SlotBody extends KeyBody {
  base_url?: string | undefined
}

interface Maximum {
  count: number
  per: 'day' | 'month'
}

interface LimitsBody {
  paused?: boolean | undefined
  /** Each is `binding:NAME` or `relay:NAME`. */
  callers?: string[] | null | undefined
  max_uses?: Maximum | null | undefined
  max_uses_per_member?: Maximum | null | undefined
  expires_at?: string | null | undefined
  label?: string | null | undefined
  position?: number | undefined
}

interface EventsQuery {
  query: {
    provider?: string | undefined
    cursor?: string | undefined
    from?: string | undefined
    to?: string | undefined
    limit?: string | undefined
    format?: 'json' | 'ndjson' | undefined
  }
}

interface UsersQuery {
  query: { cursor?: string | undefined; limit?: string | undefined }
}

interface ExportQuery {
  query: { cursor?: string | undefined }
}

interface VerifyQuery {
  query: { verify?: 'true' | 'false' | undefined }
}

interface NoKey {
  status: null
  last_used_at: null
  last_verified_at: null
}

it('knows all published routes, with their bodies', () => {
  expectTypeOf<Plain<Routes>>().toEqualTypeOf<Plain<Published>>()
})

it('knows the same routes of another app that mounts them', () => {
  type Mounted = MergeSchemaPath<ExtractSchema<typeof apiKeys>, '/api'>
  type Own = Omit<Routes, '/api/health' | '/api/config'>
  expectTypeOf<Plain<Mounted>>().toEqualTypeOf<Plain<Own>>()
})

/** A client of a user. */
async function someClient() {
  const userId = await someUser()
  const { users } = hc<AppType>('https://vault.test', {
    fetch: async (input: RequestInfo | URL, init?: RequestInit) => app.request(input, init, env),
    headers: { Authorization: `Bearer ${await mintToken({ sub: userId })}` },
  }).api
  return { userId, client: users[':userId']['api-key'] }
}

it('gives Hono’s typed client the types of the bodies', async () => {
  const { userId, client } = await someClient()
  type Put = InferRequestType<(typeof client)['$put']>
  expectTypeOf<Put['json']>().toEqualTypeOf<{
    api_key: string
    expires_at?: string | null | undefined
  }>()
  expectTypeOf<Put['param']>().toEqualTypeOf<{ userId: string }>()
  expectTypeOf<InferResponseType<(typeof client)['$get'], 200>>().toExtend<{
    has_api_key: boolean
    api_key_preview?: string
  }>()

  const put = await client.$put({ param: { userId }, json: { api_key: 'sk-1234567890' } })
  if (!put.ok) throw new Error(`The save was refused with ${put.status}`)
  const { user } = await put.json()
  expectTypeOf(user.api_key_preview).toBeString()
  expect(user.api_key_preview).toBe('sk-12345...')
  const deleted = await client.$delete({ param: { userId } })
  if (!deleted.ok) throw new Error(`The deletion was refused with ${deleted.status}`)
  expect((await deleted.json()).user.has_api_key).toBe(false)
})

it('gives Hono’s typed client the type of an error', async () => {
  const { userId, client } = await someClient()
  const refused = await client.$put({ param: { userId }, json: { api_key: '' } })
  if (refused.ok) throw new Error('The save of an empty key was not refused')
  const error = await refused.json()
  expectTypeOf(error).toEqualTypeOf<ErrorAnswer>()
  expect([refused.status, error.code, error.reason]).toEqual([400, 'api_key_invalid', 'empty'])
})
