/** The service binding: other Workers use a user's key without holding it, if their binding grants it. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EventQuery, KeyVault as CallersKeyVault, Result } from '../callers/binding.ts'
import { asksForWebSocket } from '../providers/headers.ts'
import { VaultError } from '../errors.ts'
import { deleteSlot } from '../keys/slots.ts'
import type { KeyUser } from '../keys/take.ts'
import { revealKey, useKey } from '../keys/use.ts'
import { addUser, hasUser, removeUser } from '../keys/users.ts'
import { ANSWERS } from '../refusals.ts'
import type { Service } from '../service.ts'
import type { ErrorAnswer, EventAnswer, ListedAnswer } from '../shared/answers.ts'
import { ERROR_HEADER, PROVIDER_HEADER, USER_HEADER } from '../shared/binding-headers.ts'
import type { BindingProps } from '../shared/binding-props.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { perform, type Method, type Outcome } from './perform.ts'
import { requireProvider, requireRevealer, requireText, requireUserId } from './props.ts'
import { pauseKey, viewEvents, viewSlots } from './support.ts'

/**
 * The methods that callers see. They can call every public method of a WorkerEntrypoint, so it has only
 * these ten.
 */
export class KeyVault extends WorkerEntrypoint<Env, unknown> implements CallersKeyVault {
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
        const user = this.#userOf(service, props, { userId, requestId })
        if (!(request instanceof Request)) throw new VaultError('invalid_argument')
        if (asksForWebSocket(request.headers)) throw new VaultError('upgrade_not_supported')
        requireProvider(props, requireText(provider))
        return { response: await useKey(user, { provider, request }) }
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
        const user = this.#userOf(service, props, { userId, requestId })
        const name = requireText(provider)
        requireProvider(props, name)
        return { response: await useKey(user, { provider: name, request }) }
      },
    })
    return outcome instanceof VaultError ? refuse(outcome) : outcome.response
  }

  /** The caller, who works on the slots of the user. */
  #userOf(service: Service, { caller: name }: BindingProps, call: NamedUser): KeyUser {
    const { requestId } = call
    const waitUntil = (recording: Promise<void>): void => this.ctx.waitUntil(recording)
    const userId = requireUserId(call.userId)
    return { service, userId, requestId, by: { kind: 'caller', name }, waitUntil }
  }

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
        const user = this.#userOf(service, props, { userId, requestId })
        requireProvider(props, requireText(provider))
        return { apiKey: await revealKey(user, provider) }
      },
    })
  }

  async createUser(userId: string): Promise<Result<{ created: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'createUser',
      about: { user_id: userId },
      work: async (service) => ({ created: await addUser(service, requireUserId(userId)) }),
    })
  }

  async deleteUser(userId: string): Promise<Result<{ deleted: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'deleteUser',
      about: { user_id: userId },
      work: async (service) => ({ deleted: await removeUser(service, requireUserId(userId)) }),
    })
  }

  async hasUser(userId: string): Promise<Result<{ exists: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'hasUser',
      about: { user_id: userId },
      work: async (service) => ({ exists: await hasUser(service, requireUserId(userId)) }),
    })
  }

  async listSlots(userId: string): Promise<Result<{ slots: ListedAnswer[] }>> {
    return answer(this.env, this.ctx, {
      grant: 'support',
      method: 'listSlots',
      about: { user_id: userId },
      work: async (service, props, requestId) => {
        const user = this.#userOf(service, props, { userId, requestId })
        return { slots: await viewSlots(user, props) }
      },
    })
  }

  async listEvents(
    userId: string,
    query: EventQuery = {},
  ): Promise<Result<{ events: EventAnswer[]; nextCursor: string | null }>> {
    return answer(this.env, this.ctx, {
      grant: 'support',
      method: 'listEvents',
      about: { user_id: userId },
      work: async (service, props, requestId) =>
        viewEvents(this.#userOf(service, props, { userId, requestId }), props, query),
    })
  }

  async pauseKey(userId: string, provider: string): Promise<Result<{ pausedAt: string }>> {
    return answer(this.env, this.ctx, {
      grant: 'support',
      method: 'pauseKey',
      about: { user_id: userId, provider },
      work: async (service, props, requestId) => {
        const user = this.#userOf(service, props, { userId, requestId })
        requireProvider(props, requireText(provider))
        return { pausedAt: await pauseKey(user, provider) }
      },
    })
  }

  async deleteKey(userId: string, provider: string): Promise<Result<{ deleted: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'support',
      method: 'deleteKey',
      about: { user_id: userId, provider },
      work: async (service, props, requestId) => {
        const user = this.#userOf(service, props, { userId, requestId })
        requireProvider(props, requireText(provider))
        return { deleted: await deleteSlot(user, provider) }
      },
    })
  }
}

/** A user as a caller names it. The id is unchecked: a binding does not enforce types. */
interface NamedUser {
  userId: unknown
  requestId: string
}

/** Does the work, and returns a refusal as a value. */
async function answer<T extends object & Outcome>(
  env: Env,
  context: ExecutionContext,
  method: Method<T>,
): Promise<Result<T>> {
  const outcome = await perform(env, context, method)
  if (!(outcome instanceof VaultError)) return { ok: true, ...outcome }
  const { code, retryAfter } = outcome
  return { ok: false, code, ...(retryAfter !== undefined && { retryAfter }) }
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
