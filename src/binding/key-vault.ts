/** The service binding: other Workers use a user's key without holding it, as their bindings allow. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import {
  readProps,
  Refusal,
  requireGrant,
  requireText,
  type Grant,
  type RefusalCode,
} from './props.ts'
import { ApiError } from '../errors.ts'
import { findKey, useKey, type Call } from '../keys/use.ts'
import { errorFields, log } from '../log.ts'
import { DEFAULT_SLOT } from '../providers/provider.ts'
import { createUser, deleteUser, hasUser } from '../store/users.ts'
import { openVault } from '../store/api-keys.ts'

/** What a call comes to. A refusal is a value: of an error, properties do not survive a binding. */
export type Result<T extends object> = ({ ok: true } & T) | { ok: false; code: RefusalCode }

const LOGGED_LENGTH = 200

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
