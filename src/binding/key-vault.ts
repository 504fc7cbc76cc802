/** The service binding: other Workers use a user's key without holding it, if their binding grants it. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import type {
  EventQuery,
  KeyOwner,
  KeyVault as CallersKeyVault,
  NewKey,
  Result,
  UseOptions,
  UserQuery,
} from '../callers/binding.ts'
import { VaultError } from '../errors.ts'
import type { ErrorAnswer } from '../shared/answers.ts'
import {
  decodeHeader,
  ERROR_HEADER,
  PROVIDER_HEADER,
  TEAM_HEADER,
  USER_HEADER,
} from '../shared/vault-headers.ts'
import { CODES } from '../shared/error-code.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { perform, type Given } from './call.ts'
import { METHODS, type Outcomes } from './methods.ts'

/**
 * The methods that callers see. They can call every public method of a WorkerEntrypoint, so it has only
 * these.
 */
export class KeyVault extends WorkerEntrypoint<Env, unknown> implements CallersKeyVault {
  async fetchWithApiKey(userId: string, slot: string, request: Request, options?: UseOptions) {
    return answer(await this.#perform('fetchWithApiKey', { userId, slot, request, options }))
  }

  /**
   * Like {@link fetchWithApiKey}, for `vaultFetch` in src/callers/: the headers say whose key it needs. Signals
   * and WebSockets pass here, which methods cannot carry. The answer to a refusal has `X-Vault-Error`.
   */
  override async fetch(request: Request): Promise<Response> {
    const outcome = await this.#perform('fetch', givenIn(request))
    return outcome instanceof VaultError ? refuse(outcome) : outcome.response
  }

  async getDecryptedApiKey(userId: string, slot: string = DEFAULT_SLOT) {
    return answer(await this.#perform('getDecryptedApiKey', { userId, slot }))
  }

  async createUser(userId: string) {
    return answer(await this.#perform('createUser', { userId }))
  }

  async getUser(userId: string) {
    return answer(await this.#perform('getUser', { userId }))
  }

  async listUsers(query: UserQuery = {}) {
    return answer(await this.#perform('listUsers', { query }))
  }

  async deleteUser(userId: string) {
    return answer(await this.#perform('deleteUser', { userId }))
  }

  async hasUser(userId: string) {
    return answer(await this.#perform('hasUser', { userId }))
  }

  async getTeam(teamId: string) {
    return answer(await this.#perform('getTeam', { owner: { teamId } }))
  }

  async deleteTeam(teamId: string) {
    return answer(await this.#perform('deleteTeam', { owner: { teamId } }))
  }

  async saveKey(owner: KeyOwner, slot: string, key: NewKey) {
    return answer(await this.#perform('saveKey', { owner, slot, key }))
  }

  async listSlots(owner: KeyOwner) {
    return answer(await this.#perform('listSlots', { owner }))
  }

  async listEvents(owner: KeyOwner, query: EventQuery = {}) {
    return answer(await this.#perform('listEvents', { owner, query }))
  }

  async pauseKey(owner: KeyOwner, slot: string) {
    return answer(await this.#perform('pauseKey', { owner, slot }))
  }

  async deleteKey(owner: KeyOwner, slot: string) {
    return answer(await this.#perform('deleteKey', { owner, slot }))
  }

  async #perform<Name extends keyof Outcomes>(
    name: Name,
    given: Given,
  ): Promise<Outcomes[Name] | VaultError> {
    return perform<Outcomes[Name]>(this.env, this.ctx, { method: name, given, ...METHODS[name] })
  }
}

/** The outcome of a method for its caller. A refusal is a value. */
function answer<T extends object>(outcome: T | VaultError): Result<T> {
  if (!(outcome instanceof VaultError)) return { ok: true, ...outcome }
  const { code, retryAfter } = outcome
  return { ok: false, code, ...(retryAfter !== undefined && { retryAfter }) }
}

/** The arguments of a `fetch()`. */
function givenIn(request: Request): Given {
  const { headers } = request
  const userId = decodeHeader(headers.get(USER_HEADER))
  const team = headers.get(TEAM_HEADER)
  const options = team === null ? undefined : { teamId: decodeHeader(team) }
  return { userId, slot: decodeHeader(headers.get(PROVIDER_HEADER)), request, options }
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
