/** The routes of the vault and their bodies, for Hono's typed client. */

import type { Hono } from 'hono'
import type { BlankEnv, BlankInput } from 'hono/types'
import type { ClientErrorStatusCode, ServerErrorStatusCode } from 'hono/utils/http-status'
import type { ErrorAnswer } from '../shared/answers.ts'
import type {
  AnswerOf,
  BodyOf,
  FormatOf,
  MethodOf,
  OperationId,
  PathOf,
  QueryOf,
} from '../shared/routes.ts'

export type { ErrorAnswer, ExportLine } from '../shared/answers.ts'
export type { ErrorCode } from '../shared/error-code.ts'

/** Why a text is not a key: the reasons of `api_key_invalid`. */
export type KeyReason = NonNullable<ErrorAnswer['reason']>

/**
 * The app at the origin of the vault. It needs the vault's version of Hono. With another one, use
 * `Hono<BlankEnv, Routes>` of your own Hono.
 *
 * @example
 * const client = hc<AppType>('https://vault.example.com')
 */
export type AppType = Hono<BlankEnv, Routes>

/** The schema of the routes under `/api`. A type alias, because Hono's client finds no methods in an interface. */
export type Routes = {
  [Path in PathOf<OperationId>]: {
    [Id in OperationId as PathOf<Id> extends Path ? `$${MethodOf<Id>}` : never]: Endpoint<Id>
  }
}

/**
 * A 200, or a refusal: after `!response.ok`, `response.json()` is an `ErrorAnswer`. Each line of an `ndjson` answer is an
 * `output`.
 */
type Endpoint<Id extends OperationId> =
  | { input: Input<Id>; output: AnswerOf<Id>; outputFormat: FormatOf<Id>; status: 200 }
  | { input: Input<Id>; output: ErrorAnswer; outputFormat: 'json'; status: ErrorStatus }

type ErrorStatus = ClientErrorStatusCode | ServerErrorStatusCode

type Input<Id extends OperationId> = Param<PathOf<Id>> &
  Given<'query', QueryOf<Id>> &
  Given<'json', BodyOf<Id>>

type Param<Path> = [Named<Path>] extends [never]
  ? BlankInput
  : { param: { [Name in Named<Path>]: string } }

type Named<Path> = Path extends `${string}/:${infer Name}/${infer Rest}`
  ? Name | Named<`/${Rest}`>
  : Path extends `${string}/:${infer Name}`
    ? Name
    : never

type Given<Name extends string, Value> = Value extends undefined ? BlankInput : Record<Name, Value>
