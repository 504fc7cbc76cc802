/** The service binding: other Workers use a user's key without holding it, as their bindings allow. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import {
  readProps,
  Refusal,
  requireGrant,
  requireProvider,
  requireText,
  type BindingProps,
  type Grant,
  type RefusalCode,
} from './caller.ts'
import { readConfig } from './config.ts'
import { ApiError } from './errors.ts'
import { errorFields, log } from './log.ts'
import { fetchWithKey, isRefusal } from './provider-request.ts'
import type { Provider } from './providers.ts'
import { createUser, deleteUser, hasUser } from './users.ts'
import {
  DEFAULT_SLOT,
  openVault,
  readKey,
  recordUse,
  type KeyStatus,
  type OpenedKey,
  type StoredKey,
  type Vault,
} from './vault.ts'

/** What a call comes to. A refusal is a value: of an error, properties do not survive a binding. */
export type Result<T extends object> = ({ ok: true } & T) | { ok: false; code: RefusalCode }

const LOGGED_LENGTH = 200
/** A use is written down no more often than this, a slot. */
const USE_RECORDED_MS = 60 * 60 * 1000

/**
 * What a binding with `entrypoint = "KeyVault"` and `props` of `{ caller, grants, providers? }` can
 * call. Every public method of a WorkerEntrypoint can be, so there are none but these five; a call is
 * one round trip to D1.
 */
export class KeyVault extends WorkerEntrypoint<Env, unknown> {
  /**
   * Sends `request` to its provider with the user's key in it, and without the caller's own
   * credentials. The response streams; a redirect is answered, not followed. Grant `use`.
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
      work: async (call) => ({ response: await useKey(call, { userId, name: provider, request }) }),
    })
  }

  /** The key; null where there is none, or one that does not open, which is logged. Grant `reveal`. */
  async getDecryptedApiKey(
    userId: string,
    provider: string = DEFAULT_SLOT,
  ): Promise<Result<{ apiKey: string | null }>> {
    return answer(this.env, this.ctx, {
      grant: 'reveal',
      method: 'getDecryptedApiKey',
      about: { user_id: userId, provider },
      work: async (call) => {
        const key = await findKey(call, userId, provider)
        return { apiKey: key === null || key === 'unreadable' ? null : key.apiKey }
      },
    })
  }

  /** Adds the user; `created` is false where it was there. Grant `users`, as the two below. */
  async createUser(userId: string): Promise<Result<{ created: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'createUser',
      about: { user_id: userId },
      work: async ({ vault }) => ({ created: await createUser(vault, requireText(userId)) }),
    })
  }

  /** Deletes the user with all keys; `deleted` is false where there was no such user. */
  async deleteUser(userId: string): Promise<Result<{ deleted: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'deleteUser',
      about: { user_id: userId },
      work: async ({ vault }) => ({ deleted: await deleteUser(vault, requireText(userId)) }),
    })
  }

  async hasUser(userId: string): Promise<Result<{ exists: boolean }>> {
    return answer(this.env, this.ctx, {
      grant: 'users',
      method: 'hasUser',
      about: { user_id: userId },
      work: async ({ vault }) => ({ exists: await hasUser(vault, requireText(userId)) }),
    })
  }
}

/** A call that its binding grants. */
interface Call {
  env: Env
  ctx: ExecutionContext
  props: BindingProps
  vault: Vault
}

interface Method<T extends object> {
  method: string
  grant: Grant
  /** Whose slot or user, for the log. */
  about: Record<string, unknown>
  work: (call: Call) => Promise<T>
}

/** Does the work where the binding grants it. Each call is logged: whose, and what it came to. */
async function answer<T extends object>(
  env: Env,
  ctx: ExecutionContext,
  { method, grant, about, work }: Method<T>,
): Promise<Result<T>> {
  const props = readProps(ctx.props)
  const call = { caller: props.caller, method, ...loggable(about) }
  try {
    requireGrant(props, grant)
    const result = await work({ env, ctx, props, vault: await openVault(env) })
    log('info', 'binding_call', { ...call, code: null })
    return { ok: true, ...result }
  } catch (error) {
    if (error instanceof Refusal) {
      const { code, cause } = error
      const reason = cause instanceof Error ? { reason: cause.name } : {}
      log('info', 'binding_call', { ...call, code, ...reason })
      return { ok: false, code }
    }
    const { code, status, cause = error } = ApiError.from(error)
    const fault = status < 500 ? {} : { error: errorFields(cause) }
    log(status < 500 ? 'info' : 'error', 'binding_call', { ...call, code, ...fault })
    return { ok: false, code }
  }
}

/** Arguments as they may stand in a log line: text, and no more of it than an id has. */
function loggable(about: Record<string, unknown>): Record<string, string | null> {
  const fields = Object.entries(about).map(([name, value]): [string, string | null] => [
    name,
    typeof value === 'string' ? value.slice(0, LOGGED_LENGTH) : null,
  ])
  return Object.fromEntries(fields)
}

interface Use {
  userId: string
  name: string
  request: Request
}

async function useKey(call: Call, { userId, name, request }: Use): Promise<Response> {
  const provider = readConfig(call.env).PROVIDERS.get(requireText(name))
  if (!(request instanceof Request)) throw new Refusal('invalid_argument')
  requireProvider(call.props, name)
  if (provider === undefined) throw new ApiError('unknown_provider')
  if (new URL(request.url).origin !== provider.origin) throw new Refusal('origin_not_allowed')
  const key = await findKey(call, userId, name)
  if (key === null) throw new Refusal('no_api_key')
  if (key === 'unreadable') throw new Refusal('api_key_unreadable')
  const response = await fetchWithKey(provider, key.apiKey, request).catch((cause: unknown) => {
    throw new Refusal('provider_unreachable', { cause })
  })
  call.ctx.waitUntil(recordOutcome(call, { provider, key, method: request.method, response }))
  return response
}

async function findKey(call: Call, userId: string, name: string): Promise<StoredKey | null> {
  const slot = { userId: requireText(userId), provider: requireText(name) }
  requireProvider(call.props, name)
  return readKey(call.vault, slot)
}

interface Outcome {
  provider: Provider
  key: OpenedKey
  method: string
  response: Response
}

/** Off the response's path: what the provider made of the key, and, now and then, that it was used. */
async function recordOutcome({ vault }: Call, outcome: Outcome): Promise<void> {
  const { key } = outcome
  try {
    const status = await judge(outcome)
    const usedAt = key.lastUsedAt === null ? 0 : Date.parse(key.lastUsedAt)
    if (status === key.status && Date.now() - usedAt < USE_RECORDED_MS) return
    await recordUse(vault, key.row, status)
  } catch (error) {
    const { code, cause = error } = ApiError.from(error)
    log('error', 'use_not_recorded', { code, error: errorFields(cause) })
  }
}

/** A read may be public, and prove nothing: only what was sent, and taken, makes a key active. */
async function judge({ provider, key, method, response }: Outcome): Promise<KeyStatus> {
  if (await isRefusal(provider, response)) return 'rejected'
  const proven = response.ok && method !== 'GET' && method !== 'HEAD'
  return proven ? 'active' : key.status
}
