/** The service binding: other Workers use a user's key without holding it, if their binding grants it. */

import { WorkerEntrypoint } from 'cloudflare:workers'
import type { KeyVault as CallersKeyVault, Result } from '../callers/binding.ts'
import { VaultError } from '../errors.ts'
import { readKey } from '../keys/slots.ts'
import { useKey } from '../keys/use.ts'
import { addUser, hasUser, removeUser } from '../keys/users.ts'
import { errorFields, log } from '../log.ts'
import { openService, type Service } from '../service.ts'
import type { BindingProps, Grant } from '../shared/binding-props.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import {
  readProps,
  requireGrant,
  requireProvider,
  requireRevealer,
  requireText,
  requireUserId,
} from './props.ts'

const LOGGED_LENGTH = 200

/**
 * The methods that callers see. They can call every public method of a WorkerEntrypoint, so it has only
 * these five.
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
      work: async (service, props) => {
        const owner = { service, userId: requireUserId(userId) }
        if (!(request instanceof Request)) throw new VaultError('invalid_argument')
        requireProvider(props, requireText(provider))
        const waitUntil = (recording: Promise<void>) => this.ctx.waitUntil(recording)
        return { response: await useKey(owner, { provider, request, waitUntil }) }
      },
    })
  }

  async getDecryptedApiKey(
    userId: string,
    provider: string = DEFAULT_SLOT,
  ): Promise<Result<{ apiKey: string | null }>> {
    return answer(this.env, this.ctx, {
      grant: 'reveal',
      method: 'getDecryptedApiKey',
      about: { user_id: userId, provider },
      work: async (service, props) => {
        requireRevealer(props, service.settings)
        const owner = { service, userId: requireUserId(userId) }
        requireProvider(props, requireText(provider))
        const key = await readKey(owner, provider)
        return { apiKey: key.state === 'open' ? key.apiKey : null }
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
}

interface Method<T extends object> {
  method: string
  grant: Grant
  /** The user and the slot, for the log. */
  about: Record<string, unknown>
  work: (service: Service, props: BindingProps) => Promise<T>
}

/** Does the work if the binding grants it. It logs each call with its caller, its user and its outcome. */
async function answer<T extends object>(
  env: Env,
  { props: given }: ExecutionContext,
  { method, grant, about, work }: Method<T>,
): Promise<Result<T>> {
  const props = readProps(given)
  const call = { caller: props.caller, method, ...loggable(about) }
  try {
    requireGrant(props, grant)
    const result = await work(await openService(env), props)
    log('info', 'binding_call', { ...call, code: null })
    return { ok: true, ...result }
  } catch (error) {
    const refusal = VaultError.from(error)
    const { code, cause, isFault } = refusal
    const reason = !isFault && cause instanceof Error ? { reason: cause.name } : {}
    const fault = isFault ? { error: errorFields(cause ?? refusal) } : {}
    log(isFault ? 'error' : 'info', 'binding_call', { ...call, code, ...reason, ...fault })
    return { ok: false, code }
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
