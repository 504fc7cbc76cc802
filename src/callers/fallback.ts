/** Repeats a request with the application's own key, if the vault says that the user has no key, or one without credit. */

import { OUT_OF_CREDIT, type KeySource } from '../shared/slot.ts'
import {
  CONDITION_HEADER,
  decodeHeader,
  ERROR_HEADER,
  KEY_HEADER,
  SLOT_HEADER,
} from '../shared/vault-headers.ts'
import { copyBody } from './body-copy.ts'
import { placeKey, withoutVaultHeaders } from './caller-headers.ts'

/** What takes the place of a user's key. The vault never gets it. */
export interface Fallback {
  /** The application's own key for the provider. */
  apiKey: string
}

/** Why the application's key was used. */
export type FallbackReason = 'no_api_key' | 'user_not_found' | 'out_of_credit'

/** Which key a request used. */
export type KeyUse =
  | { source: KeySource; slot: string; reason: null }
  | { source: 'application'; slot: string; reason: FallbackReason }

export interface FallbackOptions {
  /** A provider, whose first usable key is used, or one slot: `openai` or `openai:work`. */
  provider: string
  /** Without it, a user who has no key gets the refusal of the vault. */
  fallback?: Fallback | undefined
  /**
   * Gets which key a request used. The answer is returned afterwards. If this fails, the error goes to `console.error`, and
   * the answer is returned all the same.
   */
  onKey?: ((use: KeyUse) => void | Promise<void>) | undefined
}

/** A request of an SDK, and the options that the SDK passed to `fetch`. */
export interface Asked {
  request: Request
  init: RequestInit | undefined
}

/** The refusals that fall back. Every other one is somebody's decision, or a fault. */
const REFUSALS = ['no_api_key', 'user_not_found'] as const

/** The values of `X-Vault-Key`. */
const SOURCES: { [Source in KeySource]: Source } = { own: 'own', team: 'team' }

/** Sends the request through the vault with `send`. If the answer says so, it repeats the request at its own URL. */
export async function sendOrRepeat(
  asked: Asked,
  { provider, fallback, onKey }: FallbackOptions,
  send: () => Promise<Response>,
): Promise<Response> {
  const repeat = fallback === undefined ? null : prepareRepeat(asked, fallback.apiKey)
  try {
    const answer = await send()
    const { headers } = answer
    const slot = decodeHeader(headers.get(SLOT_HEADER)) ?? provider
    const source = Object.values(SOURCES).find((one) => one === headers.get(KEY_HEADER))
    const reason = reasonIn(headers)
    const request = reason === null ? null : await repeat?.request()
    if (reason !== null && request) {
      await answer.body?.cancel().catch(() => null)
      const repeated = asApplications(await fetch(request))
      await tell(onKey, { source: 'application', slot, reason })
      return repeated
    }
    if (source !== undefined) await tell(onKey, { source, slot, reason: null })
    return answer
  } finally {
    repeat?.drop()
  }
}

/** Null if the answer is to be returned as it is. */
function reasonIn(headers: Headers): FallbackReason | null {
  if (headers.get(CONDITION_HEADER) === OUT_OF_CREDIT) return OUT_OF_CREDIT
  return REFUSALS.find((code) => code === headers.get(ERROR_HEADER)) ?? null
}

/** A request that may be sent a second time. */
interface Repeat {
  /** The request with the application's key; null if its body is too long or broke off. */
  request: () => Promise<Request | null>
  /** Ends the copying of its body. */
  drop: () => void
}

/** Null if the request cannot be repeated. */
function prepareRepeat({ request, init }: Asked, apiKey: string): Repeat | null {
  const placed = placeKey(request, apiKey)
  if (placed === null || request.headers.has('Upgrade')) return null
  const { url, headers } = placed
  const { method, signal } = request
  const spare = request.body === null ? null : request.clone().body
  const copy = spare === null ? null : copyBody(spare)
  const drop = (): void => copy?.drop()
  // Otherwise the repeat would wait for the end of a body that nobody wants any more.
  signal.addEventListener('abort', drop)
  return {
    request: async () => {
      const body = copy === null ? null : await copy.whole
      if (copy !== null && body === null) return null
      return new Request(url, { ...init, method, headers, body, signal, redirect: 'manual' })
    },
    drop,
  }
}

/** The provider's answer to the application's key. Its own `X-Vault-*` headers are dropped. */
function asApplications({ body, status, statusText, headers: received }: Response): Response {
  const headers = withoutVaultHeaders(received)
  headers.set(KEY_HEADER, 'application')
  return new Response(body, { status, statusText, headers })
}

async function tell(onKey: FallbackOptions['onKey'], use: KeyUse): Promise<void> {
  try {
    await onKey?.(use)
  } catch (error) {
    // It is not thrown: an SDK would send the request again, and somebody would pay twice.
    console.error('onKey failed', error)
  }
}
