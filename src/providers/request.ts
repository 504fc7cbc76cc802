/** A request to a provider with a user's key in it. */

import type { Verdict } from '../shared/slot.ts'
import { targetUrl, type Credential } from './base-url.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import type { Provider } from './provider.ts'

const PROBE_TIMEOUT_MS = 5_000
/** Characters of a refusal that are looked at for its word. */
const REFUSAL_LENGTH = 16_384

/**
 * Sends `request` to the provider with `apiKey` in it, and without the caller's own credentials. No
 * redirect is followed: it is answered as it is.
 *
 * @returns the provider's response, as it streams, without headers that hold the key
 * @throws Error if the provider cannot be reached
 */
export async function fetchWithKey(
  provider: Provider,
  apiKey: string,
  request: Request,
): Promise<Response> {
  const url = new URL(request.url)
  url.username = ''
  url.password = ''
  if (provider.parameter !== undefined) url.searchParams.delete(provider.parameter)
  const { method, body, signal } = request
  const headers = requestHeaders(provider, apiKey, request.headers)
  const init = { method, body, signal, headers, redirect: 'manual', cache: 'no-store' } as const
  const response = await fetch(url, init)
  const { status, body: answer } = response
  return new Response(answer, { status, headers: responseHeaders(response.headers, apiKey) })
}

/** The verdict, and what it rests on: `HTTP 401`, or the name of an error such as `TimeoutError`. */
export interface Trial {
  verdict: Verdict
  reason: string
}

/** Asks the provider for something that a bad key does not get, with the time limit of a probe. */
export async function tryKey(provider: Provider, credential: Credential): Promise<Trial> {
  if (provider.probe === undefined) return { verdict: 'unknown', reason: 'no probe' }
  const { apiKey, baseUrl } = credential
  const asked = new URL(provider.probe, provider.origin ?? 'https://user.invalid')
  const url = targetUrl(provider, asked, baseUrl)
  if (url === null) return { verdict: 'unknown', reason: 'no base URL' }
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS)
  try {
    const response = await fetchWithKey(provider, apiKey, new Request(url, { signal }))
    const refused = await isRefusal(provider, response)
    await response.body?.cancel()
    const verdict = refused ? 'refused' : response.ok ? 'accepted' : 'unknown'
    return { verdict, reason: `HTTP ${response.status}` }
  } catch (error) {
    return { verdict: 'unknown', reason: error instanceof Error ? error.name : 'Error' }
  }
}

/** Whether `response` is the provider's own, unmistakable no to the key. It can still be read after. */
export async function isRefusal({ refusals }: Provider, response: Response): Promise<boolean> {
  const candidates = refusals.filter(({ status }) => status === response.status)
  const words = candidates.flatMap(({ word }) => word ?? [])
  if (words.length < candidates.length) return true
  return words.length > 0 && holdsWord(response.clone(), words)
}

/** Whether the body begins with one of `words` in it: as soon as that has come, however it goes on. */
async function holdsWord({ body }: Response, words: string[]): Promise<boolean> {
  let text = ''
  try {
    for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk
      if (words.some((word) => text.includes(word))) return true
      if (text.length >= REFUSAL_LENGTH) return false
    }
  } catch {
    // A body that breaks off has been judged by what came of it.
  }
  return false
}
