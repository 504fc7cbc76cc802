/** A key as a bound Worker uses it: found, put into its request, and what became of it written down. */

import { Refusal, requireProvider, requireText, type BindingProps } from '../binding/props.ts'
import { readConfig } from '../settings.ts'
import { ApiError } from '../errors.ts'
import { errorFields, log } from '../log.ts'
import { fetchWithKey, isRefusal } from '../providers/request.ts'
import type { Provider } from '../providers/provider.ts'
import {
  readKey,
  recordUse,
  type KeyStatus,
  type OpenedKey,
  type StoredKey,
  type Vault,
} from '../store/api-keys.ts'

/** A use is written down no more often than this, a slot. */
const USE_RECORDED_MS = 60 * 60 * 1000

/** A call that its binding grants. */
export interface Call {
  env: Env
  ctx: ExecutionContext
  props: BindingProps
  vault: Vault
}

interface Use {
  userId: string
  name: string
  request: Request
}

/**
 * Sends the request with the key in it, and has what became of that written down after the response.
 *
 * @throws Refusal, and ApiError `unknown_provider`, `user_not_found`, `database_busy`
 */
export async function useKey(call: Call, { userId, name, request }: Use): Promise<Response> {
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

/**
 * The key in a slot that the binding may touch: null where there is none, `'unreadable'` where it does
 * not open.
 *
 * @throws Refusal, and ApiError `user_not_found`, `database_busy`
 */
export async function findKey(call: Call, userId: string, name: string): Promise<StoredKey | null> {
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
