/** The service binding: other Workers use a user's key without holding it, if their binding grants it. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import { asksForWebSocket } from '../providers/headers.ts'
import { VaultError } from '../errors.ts'
import { readKey } from '../keys/slots.ts'
import { useKey } from '../keys/use.ts'
import { addUser, hasUser, removeUser } from '../keys/users.ts'
import { errorFields, log, nameCause } from '../log.ts'
import { ANSWERS } from '../refusals.ts'
import { openService, type Service } from '../service.ts'
import type { ErrorAnswer } from '../shared/answers.ts'
import { ERROR_HEADER, PROVIDER_HEADER, USER_HEADER } from '../shared/binding-headers.ts'
import type { ErrorCode } from '../shared/error-code.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import {
  readProps,
  requireGrant,
  requireProvider,
  requireRevealer,
  requireText,
  requireUserId,
  type BindingProps,
  type Grant,
} from './props.ts'

/**
 * The result of a call. A refusal is a value, because an error loses its properties over a binding.
 */
export type Result<T extends object> = ({ ok: true } & T) | { ok: false; code: ErrorCode }

const LOGGED_LENGTH = 200

/**
 * The methods of a binding with `entrypoint = "KeyVault"` and `props` of `{ caller, grants, providers? }`.
 * Callers can call every public method of a WorkerEntrypoint, so it has only these six. A call makes one
 * round trip to D1.
 */
export class KeyVault extends WorkerEntrypoint<Env, unknown> {
  /**
   * Sends `request` to its provider with the user's key in it, and without the caller's own
   * credentials. The response streams. A redirect is returned, not followed. Needs the grant `use`.
   */
  async fetchWithApiKey(
    userId: string,
    provider: string,
    request: Request,
  ): Promise<Result<{ response: Response }>> {
    return answer(this.env, this.ctx, {
      grant: 'use',
      method: 'fetchWithApiKey',
      about: { user_id: userId, provider },
      work: async (service, props, requestId) => {
        const owner = { service, userId: requireUserId(userId), requestId }
        if (!(request instanceof Request)) throw new VaultError('invalid_argument')
        if (asksForWebSocket(request.headers)) throw new VaultError('upgrade_not_supported')
        requireProvider(props, requireText(provider))
        return { response: await useKey(owner, { provider, request, waitUntil: this.#waitUntil }) }
      },
    })
  }

  /**
   * Like {@link fetchWithApiKey}, for `vaultFetch` in src/callers/: the headers say whose key it needs. Signals
   * and WebSockets pass here, which methods cannot carry. The answer to a refusal has `X-Vault-Error`.
   */
  override async fetch(request: Request): Promise<Response> {
    const userId = decodeHeader(request.headers.get(USER_HEADER))
    const provider = request.headers.get(PROVIDER_HEADER)
    const outcome = await perform(this.env, this.ctx, {
      grant: 'use',
      method: 'fetch',
      about: { user_id: userId, provider },
      work: async (service, props, requestId) => {
        const owner = { service, userId: requireUserId(userId), requestId }
        const name = requireText(provider)
        requireProvider(props, name)
        const use = { provider: name, request, waitUntil: this.#waitUntil }
        return { response: await useKey(owner, use) }
      },
    })
    return outcome instanceof VaultError ? refuse(outcome) : outcome.response
  }

  readonly #waitUntil = (recording: Promise<void>): void => this.ctx.waitUntil(recording)

  /**
   * Returns the key in the clear; null if there is none, or if it does not open, which is logged. Needs
   * the grant `reveal`, and `ALLOW_REVEAL`.
   */
  async getDecryptedApiKey(
    userId: string,
    provider: string = DEFAULT_SLOT,
  ): Promise<Result<{ apiKey: string | null }>> {
    return answer(this.env, this.ctx, {
      grant: 'reveal',
      method: 'getDecryptedApiKey',
      about: { user_id: userId, provider },
      work: async (service, props, requestId) => {
        requireRevealer(props, service.settings)
        const owner = { service, userId: requireUserId(userId), requestId }
        requireProvider(props, requireText(provider))
        const key = await readKey(owner, provider)
        return { apiKey: key.state === 'open' ? key.apiKey : null }
      },
    })
  }

  /** Adds the user. `created` is false if the user exists already. Needs the grant `users`. */
  async createUser(userId: string): Promise<Result<{ created: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'createUser',
      about: { user_id: userId },
      work: async (service) => ({ created: await addUser(service, requireUserId(userId)) }),
    })
  }

  /** Deletes the user with all keys. `deleted` is false if the user does not exist. Needs the grant `users`. */
  async deleteUser(userId: string): Promise<Result<{ deleted: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'deleteUser',
      about: { user_id: userId },
      work: async (service) => ({ deleted: await removeUser(service, requireUserId(userId)) }),
    })
  }

  /** Whether the user exists. Needs the grant `users`. */
  async hasUser(userId: string): Promise<Result<{ exists: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'hasUser',
      about: { user_id: userId },
      work: async (service) => ({ exists: await hasUser(service, requireUserId(userId)) }),
    })
  }
}

/** The result of a method. */
interface Outcome {
  /** The provider's answer to a use. */
  response?: Response
}

interface Method<T extends object> {
  method: string
  grant: Grant
  /** The user and the slot, for the log. */
  about: Record<string, unknown>
  work: (service: Service, props: BindingProps, requestId: string) => Promise<T>
}

/** Does the work, and returns a refusal as a value. */
async function answer<T extends object & Outcome>(
  env: Env,
  context: ExecutionContext,
  method: Method<T>,
): Promise<Result<T>> {
  const outcome = await perform(env, context, method)
  return outcome instanceof VaultError
    ? { ok: false, code: outcome.code }
    : { ok: true, ...outcome }
}

/** Does the work if the binding grants it. It logs each call with its caller, its user and its outcome. */
async function perform<T extends object & Outcome>(
  env: Env,
  { props: given }: ExecutionContext,
  { method, grant, about, work }: Method<T>,
): Promise<T | VaultError> {
  const startedAt = Date.now()
  const props = readProps(given)
  const request_id = crypto.randomUUID()
  const call = { request_id, caller: props.caller, method, ...loggable(about) }
  const times = () => ({ duration_ms: Date.now() - startedAt })
  try {
    requireGrant(props, grant)
    const outcome = await work(await openService(env), props, request_id)
    const { response } = outcome
    const answered = response !== undefined && { provider_status: response.status }
    log('info', 'binding_call', { ...call, code: null, ...answered, ...times() })
    return outcome
  } catch (error) {
    const refusal = VaultError.from(error)
    logRefusal(refusal, { ...call, ...times() })
    return refusal
  }
}

function logRefusal(refusal: VaultError, call: Record<string, unknown>): void {
  const { code, cause = refusal, isFault } = refusal
  const reason = code === 'provider_unreachable' && { reason: nameCause(cause) }
  const fault = isFault && { error: errorFields(cause) }
  log(isFault ? 'error' : 'info', 'binding_call', { ...call, code, ...reason, ...fault })
}

/** The refusal of a `fetch()`, in the form of the HTTP API. */
function refuse({ code, detail, retryAfter }: VaultError): Response {
  const { status, error } = ANSWERS[code]
  const headers = {
    [ERROR_HEADER]: code,
    ...(retryAfter !== undefined && { 'Retry-After': String(retryAfter) }),
  }
  const body: ErrorAnswer = { error, code, ...(detail !== undefined && { detail }) }
  return Response.json(body, { status, headers })
}

/** Null if there is none, or if it is not percent-encoded. */
function decodeHeader(value: string | null): string | null {
  try {
    return value === null ? null : decodeURIComponent(value)
  } catch {
    return null
  }
}

/** The arguments for a log line: strings only, cut to the length of an id. */
function loggable(about: Record<string, unknown>): Record<string, string | null> {
  const fields = Object.entries(about).map(([name, value]): [string, string | null] => [
    name,
    typeof value === 'string' ? value.slice(0, LOGGED_LENGTH) : null,
  ])
  return Object.fromEntries(fields)
}
