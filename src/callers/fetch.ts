/** `vaultFetch`: a `fetch` for SDKs in a bound Worker. The vault puts the user's key into each request. */

import { ERROR_HEADER, PROVIDER_HEADER, USER_HEADER } from '../shared/vault-headers.ts'

/** The binding to the vault's entrypoint `KeyVault`, as far as it is used here. */
export interface FetchBinding {
  fetch: (request: Request) => Promise<Response>
}

/** Whose key to use. */
export interface KeyOf {
  userId: string
  /** The name of the slot, such as `openai`. */
  provider: string
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
export function vaultFetch(vault: FetchBinding, { userId, provider }: KeyOf): typeof fetch {
  return async (input, init) => {
    const asked = new Request(input, init)
    const headers = new Headers(asked.headers)
    headers.set(USER_HEADER, encodeURIComponent(userId))
    headers.set(PROVIDER_HEADER, provider)
    const answer = await vault.fetch(new Request(asked, { headers, redirect: 'manual' }))
    const code = answer.headers.get(ERROR_HEADER)
    return code === null ? answer : refusal(answer, code)
  }
}

/** The refusal in the form that the SDKs of OpenAI, Anthropic and Google, and the AI SDK, read. */
async function refusal(answer: Response, code: string): Promise<Response> {
  const { error: sentence, detail }: { error: string; detail?: string } = await answer.json()
  const message = [`The key vault refused (${code}): ${sentence}.`, detail].join(' ').trim()
  const headers = new Headers(answer.headers)
  headers.delete('Content-Length')
  const status = statusOf(answer.status)
  // The SDKs of OpenAI and Anthropic obey it.
  if (status === 424 || code === 'limit_reached') headers.set('X-Should-Retry', 'false')
  const error = { type: 'vault_error', code, message, param: null, status: code }
  return new Response(JSON.stringify({ type: 'error', error }), { status, headers })
}

/** 424 instead of 500: SDKs repeat a request after a 500, and the vault would refuse it again. */
function statusOf(status: number): number {
  return status === 500 ? 424 : status
}
