/** The routes of the vault and their bodies, for Hono's typed client. A test compares them with the app. */

import type { Hono } from 'hono'
import type { BlankEnv, BlankInput } from 'hono/types'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { JSONParsed } from 'hono/utils/types'
import type {
  AssignedAnswer,
  ConfigAnswer,
  DeletedAnswer,
  EventsAnswer,
  HealthAnswer,
  KeyAnswer,
  KeyFields,
  ListAnswer,
  SavedAnswer,
  SavedFields,
  SlotAnswer,
  VerifyAnswer,
} from '../shared/answers.ts'

export type { ErrorAnswer } from '../shared/answers.ts'
export type { ErrorCode } from '../shared/error-code.ts'
export type { KeyReason } from '../shared/key-text.ts'

/**
 * The app at the origin of the vault. It needs the vault's version of Hono. With another one, use
 * `Hono<BlankEnv, Routes>` of your own Hono.
 *
 * @example
 * const client = hc<AppType>('https://vault.example.com')
 */
export type AppType = Hono<BlankEnv, Routes>

/** The schema of the routes under `/api`. */
export type Routes = {
  '/api/health': { $get: Endpoint<BlankInput, HealthAnswer> }
  '/api/config': { $get: Endpoint<BlankInput, ConfigAnswer> }
  '/api/users/:userId/api-key': {
    $get: Endpoint<UserPath, KeyAnswer>
    $put: Endpoint<UserPath & Json<KeyBody>, SavedAnswer<KeyFields>>
    $delete: Endpoint<UserPath, DeletedAnswer<object>>
  }
  '/api/users/:userId/api-keys': { $get: Endpoint<UserPath, ListAnswer> }
  '/api/users/:userId/api-keys/:provider': {
    $get: Endpoint<SlotPath, SlotAnswer>
    $put: Endpoint<SlotPath & VerifyQuery & Json<SlotBody>, SavedAnswer<SavedFields & ProviderName>>
    $delete: Endpoint<SlotPath, DeletedAnswer<ProviderName & NoKey>>
    $patch: Endpoint<SlotPath & Json<LimitsBody>, SlotAnswer>
  }
  '/api/users/:userId/api-keys/:provider/assign': {
    $post: Endpoint<SlotPath & VerifyQuery, AssignedAnswer>
  }
  '/api/users/:userId/api-keys/:provider/verify': { $post: Endpoint<SlotPath, VerifyAnswer> }
  '/api/users/:userId/api-key-events': { $get: Endpoint<UserPath & EventsQuery, EventsAnswer> }
}

/** A type alias, because Hono's client finds no methods in an interface. */
type Endpoint<Input, Output> = {
  input: Input
  output: JSONParsed<Output>
  outputFormat: 'json'
  status: ContentfulStatusCode
}

interface ProviderName {
  provider: string
}

interface UserPath {
  param: { userId: string }
}

interface SlotPath {
  param: { userId: string } & ProviderName
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

interface LimitsBody {
  paused?: boolean | undefined
  /** Each is `binding:NAME` or `relay:NAME`. */
  callers?: string[] | null | undefined
  max_uses?: { count: number; per: 'day' | 'month' } | null | undefined
  expires_at?: string | null | undefined
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

interface VerifyQuery {
  query: { verify?: 'true' | 'false' | undefined }
}

interface NoKey {
  status: null
  last_used_at: null
  last_verified_at: null
}
