/** A request to a provider with a user's key in it. */

import type { Verdict } from '../shared/slot.ts'
import type { Provider } from './provider.ts'

const PROBE_TIMEOUT_MS = 5_000
/** Characters of a refusal that are looked at for its word. */
const REFUSAL_LENGTH = 16_384

/** The caller's credentials, what Cloudflare tells of its visitor, and hop by hop (RFC 9110 §7.6.1). */
const DROPPED = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'x-api-key',
  'x-goog-api-key',
  'api-key',
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'forwarded',
  'x-real-ip',
  'true-client-ip',
])
const DROPPED_PREFIX = /^(?:cf-|x-forwarded-)/

/**
 * Sends `request` to the provider with `apiKey` in it, and without the caller's own credentials. No
 * redirect is followed: it is answered as it is.
 *
 * @returns the provider's response, as it streams, without headers that hold the key, as it is, in
 * base64 or percent-encoded
 * @throws Error where the provider can't be reached
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
  const { status } = response
  const forms = [apiKey, encodeURIComponent(apiKey), btoa(apiKey)].map((form) => form.toLowerCase())
  const kept = Array.from(response.headers).filter((field) => !holdsOneOf(forms, field))
  return new Response(response.body, { status, headers: kept })
}

function holdsOneOf(forms: string[], field: [name: string, value: string]): boolean {
  return field.some((text) => forms.some((form) => text.toLowerCase().includes(form)))
}

function requestHeaders({ header, scheme, headers = {} }: Provider, apiKey: string, sent: Headers) {
  const named = new Set(
    sent
      .get('Connection')
      ?.toLowerCase()
      .split(/\s*,\s*/),
  )
  const kept = Array.from(sent).filter(
    ([name]) => !DROPPED.has(name) && !DROPPED_PREFIX.test(name) && !named.has(name),
  )
  const outgoing = new Headers(kept)
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
}

/** The verdict, and what it rests on: `HTTP 401`, or the name of an error such as `TimeoutError`. */
export interface Trial {
  verdict: Verdict
  reason: string
}

/** Asks the provider for something that a bad key does not get, with the time limit of a probe. */
export async function tryKey(provider: Provider, apiKey: string): Promise<Trial> {
  const signal = AbortSignal.timeout(PROBE_TIMEOUT_MS)
  const probe = new Request(new URL(provider.probe, provider.origin), { signal })
  try {
    const response = await fetchWithKey(provider, apiKey, probe)
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
