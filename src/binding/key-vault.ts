/** The service binding: other Workers use a user's key without holding it, if their binding grants it. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EventQuery, KeyVault as CallersKeyVault, Result } from '../callers/binding.ts'
import { asksForWebSocket } from '../providers/headers.ts'
import { VaultError } from '../errors.ts'
import { deleteSlot } from '../keys/slots.ts'
import type { KeyUser } from '../keys/take.ts'
import { revealKey, useKey } from '../keys/use.ts'
import { addUser, hasUser, removeUser } from '../keys/users.ts'
import type { ErrorAnswer, EventAnswer, ListedAnswer } from '../shared/answers.ts'
import { ERROR_HEADER, PROVIDER_HEADER, USER_HEADER } from '../shared/binding-headers.ts'
import type { BindingProps, Grant } from '../shared/binding-props.ts'
import { bindingCaller } from '../shared/caller.ts'
import { CODES } from '../shared/error-code.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { perform, type About, type Outcome } from './perform.ts'
import { requireNamed, requireRevealer, requireText, requireUserId } from './props.ts'
import { pauseKey, viewEvents, viewSlots } from './support.ts'

/** The methods, each with the grant that it needs. */
const GRANTS = {
  fetchWithApiKey: 'use',
  fetch: 'use',
  getDecryptedApiKey: 'reveal',
  createUser: 'users',
  deleteUser: 'users',
  hasUser: 'users',
  listSlots: 'support',
  listEvents: 'support',
  pauseKey: 'support',
  deleteKey: 'support',
} as const satisfies Record<string, Grant>

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
    const about = { user_id: userId, provider }
    return this.#perform('fetchWithApiKey', about, async (user) => {
      if (!(request instanceof Request)) throw new VaultError('invalid_argument')
      if (asksForWebSocket(request.headers)) throw new VaultError('upgrade_not_supported')
      return { response: await useKey(user, { provider, request }) }
    }).then(answer)
  }

  /**
   * Like {@link fetchWithApiKey}, for `vaultFetch` in src/callers/: the headers say whose key it needs. Signals
   * and WebSockets pass here, which methods cannot carry. The answer to a refusal has `X-Vault-Error`.
   */
  override async fetch(request: Request): Promise<Response> {
    const provider = request.headers.get(PROVIDER_HEADER) ?? ''
    const about = { user_id: decodeHeader(request.headers.get(USER_HEADER)), provider }
    const outcome = await this.#perform('fetch', about, async (user) => ({
      response: await useKey(user, { provider, request }),
    }))
    return outcome instanceof VaultError ? refuse(outcome) : outcome.response
  }

  async getDecryptedApiKey(
    userId: string,
    provider: string = DEFAULT_SLOT,
  ): Promise<Result<{ apiKey: string | null }>> {
    return this.#perform('getDecryptedApiKey', { user_id: userId, provider }, async (user) => ({
      apiKey: await revealKey(user, provider),
    })).then(answer)
  }

  async createUser(userId: string): Promise<Result<{ created: boolean }>> {
    return this.#perform('createUser', { user_id: userId }, async ({ service }) => ({
      created: await addUser(service, userId),
    })).then(answer)
  }

  async deleteUser(userId: string): Promise<Result<{ deleted: boolean }>> {
    return this.#perform('deleteUser', { user_id: userId }, async ({ service }) => ({
      deleted: await removeUser(service, userId),
    })).then(answer)
  }

  async hasUser(userId: string): Promise<Result<{ exists: boolean }>> {
    return this.#perform('hasUser', { user_id: userId }, async ({ service }) => ({
      exists: await hasUser(service, userId),
    })).then(answer)
  }

  async listSlots(userId: string): Promise<Result<{ slots: ListedAnswer[] }>> {
    return this.#perform('listSlots', { user_id: userId }, async (user, props) => ({
      slots: await viewSlots(user, props),
    })).then(answer)
  }

  async listEvents(
    userId: string,
    query: EventQuery = {},
  ): Promise<Result<{ events: EventAnswer[]; nextCursor: string | null }>> {
    return this.#perform('listEvents', { user_id: userId }, async (user, props) =>
      viewEvents(user, props, query),
    ).then(answer)
  }

  async pauseKey(userId: string, provider: string): Promise<Result<{ pausedAt: string }>> {
    return this.#perform('pauseKey', { user_id: userId, provider }, async (user) => ({
      pausedAt: await pauseKey(user, provider),
    })).then(answer)
  }

  async deleteKey(userId: string, provider: string): Promise<Result<{ deleted: boolean }>> {
    return this.#perform('deleteKey', { user_id: userId, provider }, async (user) => ({
      deleted: await deleteSlot(user, provider),
    })).then(answer)
  }

  /** Does the work if the binding grants it, for this user and in this slot. */
  async #perform<T extends object & Outcome>(
    method: keyof typeof GRANTS,
    about: About,
    work: (user: KeyUser, props: BindingProps) => Promise<T>,
  ): Promise<T | VaultError> {
    const grant = GRANTS[method]
    return perform(this.env, this.ctx, {
      grant,
      method,
      about,
      work: async (service, props, requestId) => {
        if (grant === 'reveal') requireRevealer(props, service.settings)
        const userId = requireUserId(about.user_id)
        if ('provider' in about) {
          requireNamed(props, service.settings, requireText(about.provider))
        }
        const by = { kind: 'caller', name: bindingCaller(props.caller) } as const
        const waitUntil = (recording: Promise<void>): void => this.ctx.waitUntil(recording)
        return work({ service, userId, requestId, by, waitUntil }, props)
      },
    })
  }
}

/** The outcome of a method for its caller. A refusal is a value. */
function answer<T extends object>(outcome: T | VaultError): Result<T> {
  if (!(outcome instanceof VaultError)) return { ok: true, ...outcome }
  const { code, retryAfter } = outcome
  return { ok: false, code, ...(retryAfter !== undefined && { retryAfter }) }
}

/** The refusal of a `fetch()`, in the form of the HTTP API. */
function refuse({ code, detail, retryAfter }: VaultError): Response {
  const { status, error } = CODES[code]
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
