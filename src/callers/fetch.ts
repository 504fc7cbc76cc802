/** `vaultFetch` and `relayFetch`: a `fetch` for SDKs. The vault puts the user's key into each request. */

import type { ErrorAnswer } from '../shared/answers.ts'
import { describeForSdk } from '../shared/sdk-refusal.ts'
import { encodeSlot } from '../shared/slot.ts'
import { ERROR_HEADER, PROVIDER_HEADER, TEAM_HEADER, USER_HEADER } from '../shared/vault-headers.ts'
import { withoutCredentials, withoutVaultHeaders } from './caller-headers.ts'
import { sendOrRepeat, type Asked, type FallbackOptions } from './fallback.ts'

export type { Fallback, FallbackReason, KeyUse } from './fallback.ts'

/** The binding to the vault's entrypoint `KeyVault`, as far as it is used here. */
export interface FetchBinding {
  fetch: (request: Request) => Promise<Response>
}

/** Whose key to use. */
export interface KeyOf extends FallbackOptions {
  userId: string
  /** A team whose key may be used too. You vouch that the user is in it: the binding's `props` need `"teams": true`. */
  teamId?: string | undefined
}

/**
 * Returns a `fetch` that sends requests to the provider with the user's key in them. Pass it to an SDK, with
 * any text as the SDK's own key. A redirect is returned, not followed.
 *
 * If the vault refuses, the answer has the vault's code in its body, in `X-Vault-Error`, and in the message of
 * the SDK's error. Its status makes an SDK try again only if that can help.
 *
 * @example
 * const openai = new OpenAI({ fetch: vaultFetch(env.KEY_VAULT, { userId, provider: 'openai' }), apiKey: 'in the vault' })
 */
export function vaultFetch(
  vault: FetchBinding,
  { userId, teamId, ...options }: KeyOf,
): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    return sendOrRepeat({ request, init }, options, async () => {
      const headers = withoutVaultHeaders(request.headers)
      headers.set(USER_HEADER, encodeURIComponent(userId))
      if (teamId !== undefined) headers.set(TEAM_HEADER, encodeURIComponent(teamId))
      headers.set(PROVIDER_HEADER, encodeSlot(options.provider))
      const answer = await vault.fetch(new Request(request, { headers, redirect: 'manual' }))
      return answer.headers.has(ERROR_HEADER) ? refusal(answer) : answer
    })
  }
}

/** The refusal in the form that SDKs read. */
async function refusal(answer: Response): Promise<Response> {
  const body: ErrorAnswer = await answer.json()
  const headers = new Headers(answer.headers)
  headers.delete('Content-Length')
  const status = statusOf(answer.status)
  // The SDKs of OpenAI and Anthropic obey it.
  if (status === 424 || body.code === 'limit_reached') headers.set('X-Should-Retry', 'false')
  return new Response(JSON.stringify(describeForSdk(body)), { status, headers })
}

/** 424 instead of 500: SDKs repeat a request after a 500, and the vault would refuse it again. */
function statusOf(status: number): number {
  return status === 500 ? 424 : status
}

/** Where the vault is, and a token of the user for it. */
export interface Relay extends FallbackOptions {
  /** The address of the vault, such as `https://vault.example.com`. */
  vault: string
  /** An access token with the relay's scope, or a function that returns one for each request. */
  token: string | (() => string | Promise<string>)
  /** The team whose key may be used too. A token with only one team needs none here. */
  teamId?: string | undefined
}

/**
 * Returns a `fetch` that sends requests through the relay. Pass it to an SDK that has the provider's own base URL, with any
 * text as its key: a request to `https://api.openai.com/v1/models` goes to `/relay/openai/v1/models` of the vault. A redirect
 * is returned, not followed.
 *
 * @example
 * const vault = 'https://vault.example.com'
 * const openai = new OpenAI({ fetch: relayFetch({ vault, token, provider: 'openai' }), apiKey: 'in the vault' })
 */
export function relayFetch({ vault, token, teamId, ...options }: Relay): typeof fetch {
  const { origin } = new URL(vault)
  const root = `${vault.replace(/\/+$/, '')}/relay/${encodeSlot(options.provider)}`
  return async (input, init) => {
    const request = new Request(input, init)
    // The relay has put this URL in place of one of the provider's. Only the vault knows the provider's.
    const isHome = new URL(request.url).origin === origin
    const to = isHome ? request.url : request.url.replace(ORIGIN, () => root)
    const falling = { ...options, ...(isHome && { fallback: undefined }) }
    return sendOrRepeat({ request, init }, falling, async () => {
      const headers = withoutCredentials(request.headers)
      headers.set('Authorization', `Bearer ${typeof token === 'string' ? token : await token()}`)
      if (teamId !== undefined) headers.set(TEAM_HEADER, encodeURIComponent(teamId))
      return fetch(readdress({ request, init }, to, headers))
    })
  }
}

const ORIGIN = /^[^/]*\/\/[^/]*/

/** The request for another address. */
function readdress({ request, init }: Asked, url: string, headers: Headers): Request {
  const { method, signal } = request
  const { body: given = null } = init ?? {}
  // Node.js would send the body of a Request without its length. A stream has none, and can be read once.
  const isStream = given instanceof Object && Symbol.asyncIterator in given
  const body = isStream || given === null ? request.body : given
  // The new request makes another boundary for a form.
  if (body instanceof FormData) headers.delete('Content-Type')
  const streamed = body === request.body && body !== null && { duplex: 'half' }
  const own = { ...streamed, method, headers, body, signal, redirect: 'manual' } as const
  return new Request(url, { ...init, ...own })
}
