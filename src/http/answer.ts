/** How a result becomes an HTTP answer: a refusal, a body with its `ETag`, or an export. */

import type { Context, MiddlewareHandler } from 'hono'
import { VaultError } from '../errors.ts'
import { errorFields, log, nameCause } from '../log.ts'
import type { ErrorAnswer } from '../shared/answers.ts'
import { CODES, type ErrorCode } from '../shared/error-code.ts'
import { describeForSdk } from '../shared/sdk-refusal.ts'
import { ERROR_HEADER } from '../shared/vault-headers.ts'

/** For `not_your_own`, the sentence names what the request tried to do. */
export const NOT_YOUR_OWN: Record<string, string> = {
  PUT: "Unauthorized to update this user's API key",
  PATCH: "Unauthorized to update this user's API key",
  POST: "Unauthorized to update this user's API key",
  DELETE: "Unauthorized to delete this user's API key",
}

type OwnHeaders = Record<string, string>

interface AnswerInit {
  status?: 200 | (typeof CODES)[ErrorCode]['status'] | undefined
  headers?: OwnHeaders | undefined
}

/** What {@link answerError} reads of its request, and sets for the request's log line. */
export interface AnswerVariables {
  /** The headers of every answer of the vault's own app. In another app, Hono keeps those that its middleware sets. */
  answerHeaders?: OwnHeaders
  /** Whether an SDK of a provider reads the answer. */
  isForSdk?: boolean
  errorCode?: ErrorCode
  /** Why a provider could not be reached. */
  errorReason?: string
}

/** Gives each refusal of the handlers after it the form that SDKs read. */
export const forSdks: MiddlewareHandler<{ Variables: AnswerVariables }> = async (c, next) => {
  c.set('isForSdk', true)
  await next()
}

/** Answers with `body` as JSON. */
export function answerJson(
  c: Context,
  body: object,
  { status, headers }: AnswerInit = {},
): Response {
  const type = { 'Content-Type': 'application/json' }
  return respond(c, JSON.stringify(body), { status, headers: { ...type, ...headers } })
}

/** Makes the Response with all its headers at once. Hono sets one after the other, which took 10 µs more. */
function respond(
  c: Context,
  body: string | ReadableStream,
  { status = 200, headers = {} }: AnswerInit,
): Response {
  const shared: OwnHeaders | undefined = c.get('answerHeaders')
  if (shared === undefined) return c.newResponse(body, status, headers)
  return new Response(body, { status, headers: { ...shared, ...headers } })
}

/** Answers `error` as the contract says. A fault's cause goes into the log, never into the answer. */
export function answerError(
  error: unknown,
  c: Context,
  headers: Record<string, string> = {},
): Response {
  const refusal = VaultError.from(error)
  const { code, detail, reason, index, retryAfter, cause = refusal } = refusal
  const { status, error: known, challenge, retry } = CODES[code]
  const isFinal = retry === undefined || retry === 'next_period'
  const sentence = code === 'not_your_own' ? notYourOwn(c, known) : known
  const request_id: string | undefined = c.get('requestId')
  c.set('errorCode', code)
  if (code === 'provider_unreachable') c.set('errorReason', nameCause(cause))
  if (refusal.isFault) log('error', 'error', { request_id, code, error: errorFields(cause) })
  const body: ErrorAnswer = {
    error: sentence,
    code,
    ...(detail !== undefined && { detail }),
    ...(reason !== undefined && { reason }),
    ...(index !== undefined && { index }),
    ...(request_id !== undefined && { request_id }),
  }
  return answerJson(c, c.get('isForSdk') === true ? describeForSdk(body) : body, {
    status,
    headers: {
      ...headers,
      [ERROR_HEADER]: code,
      // Without it, the SDKs of OpenAI and Anthropic, which use the relay, try again after such a status.
      ...(isFinal && status >= 429 && { 'X-Should-Retry': 'false' }),
      ...(challenge !== undefined && { 'WWW-Authenticate': challenge }),
      ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
    },
  })
}

/** The sentence of `not_your_own`, which names what the request tried to do, and with whose key. */
function notYourOwn({ req }: Context, error: string): string {
  const sentence = NOT_YOUR_OWN[req.method] ?? error
  return req.param('teamId') === undefined ? sentence : ofTeam(sentence)
}

export function ofTeam(sentence: string): string {
  return sentence.replace('user', 'team')
}

/**
 * Streams the lines of the pages as they come, each a JSON object, as the file `name`. If a later page cannot be read, the
 * body breaks off, and the client's request fails.
 *
 * @throws as the first page
 */
export async function exportAnswer(
  c: Context,
  name: string,
  pages: AsyncGenerator<readonly object[]>,
): Promise<Response> {
  let page = await pages.next()
  const body = new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      if (page.done === true) return controller.close()
      controller.enqueue(encodeLines(page.value))
      page = await pages.next().catch((error: unknown) => {
        log('error', 'export_broken_off', { error: errorFields(error) })
        throw error
      })
    },
    cancel: async () => void (await pages.return(null)),
  })
  return respond(c, body, {
    headers: {
      'Content-Type': 'application/x-ndjson',
      'Content-Disposition': `attachment; filename="${name}.ndjson"`,
    },
  })
}

const encoder = new TextEncoder()

function encodeLines(values: readonly object[]): Uint8Array {
  return encoder.encode(values.map((value) => `${JSON.stringify(value)}\n`).join(''))
}

/** The `ETag` header for the key in the body of an answer, even if the key does not open. An empty slot has none. */
export function tagOf(body: object): { ETag?: string } {
  const { user, team = user }: { user?: unknown; team?: unknown } = body
  const key = team instanceof Object ? team : body
  return 'etag' in key && typeof key.etag === 'string' ? { ETag: key.etag } : {}
}
