/** Sends requests with a user's key to a provider. */

import { inTime } from '../shared/deadline.ts'
import type { Verdict } from '../shared/slot.ts'
import { targetUrl, type Credential } from './base-url.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import { isKnown, MAX_KNOWN_BYTES, needsBody } from './known-answer.ts'
import type { Provider } from './provider.ts'

/** How long the vault waits for an answer that it reads itself. */
const READ_TIMEOUT_MS = 5_000

/**
 * Sends `request` to the provider with `apiKey` in it, and without the caller's own credentials. It
 * returns a redirect, and does not follow it.
 *
 * @returns the provider's streaming response, without headers that hold the key
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
  const { parameter } = provider
  // Even if it deletes nothing, `delete` would write the whole query anew.
  if (parameter !== undefined && url.searchParams.has(parameter)) url.searchParams.delete(parameter)
  const { method, signal } = request
  // `fetch` throws if a GET has a body, even the empty one of a client that sends `Content-Length: 0`.
  const body = method === 'GET' || method === 'HEAD' ? null : request.body
  const headers = requestHeaders(provider, apiKey, request.headers)
  const init = { method, body, signal, headers, redirect: 'manual', cache: 'no-store' } as const
  const response = await fetch(url, init)
  const { status, body: answer, webSocket } = response
  const answered = responseHeaders(response.headers, apiKey)
  return new Response(answer, { status, headers: answered, webSocket })
}

/** The verdict and its reason: `HTTP 401`, or the name of an error such as `TimeoutError`. */
export interface Trial {
  verdict: Verdict
  reason: string
}

/** Sends the provider's probe with the key, within a time limit. It never throws. */
export async function tryKey(provider: Provider, credential: Credential): Promise<Trial> {
  if (provider.probe === undefined) return { verdict: 'unknown', reason: 'no probe' }
  const { apiKey, baseUrl } = credential
  const asked = new URL(provider.probe, provider.origin ?? 'https://user.invalid')
  const url = targetUrl(provider, asked, baseUrl)
  if (url === null) return { verdict: 'unknown', reason: 'no base URL' }
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS)
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

/** Whether `response` clearly rejects the key. The response can still be read afterwards. */
export async function isRefusal(
  { refusals }: Pick<Provider, 'refusals'>,
  response: Response,
): Promise<boolean> {
  const { status } = response
  if (!needsBody(refusals, status)) return isKnown(refusals, status, null)
  return isKnown(refusals, status, await readStart(response.clone()))
}

/**
 * The body as far as it came, and no more of it than can be a known answer. It has a time limit: otherwise a body that
 * stalls, or is compressed and unpacks to nothing, would be read even after the caller has left.
 */
async function readStart({ body }: Response): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  const reader = body?.getReader()
  try {
    if (reader !== undefined) await inTime(readInto(chunks, reader), READ_TIMEOUT_MS)
  } catch {
    // What came is enough.
  }
  // The rest is not wanted. A body that broke off cannot be cancelled.
  void reader?.cancel().catch(() => null)
  return new Uint8Array(await new Blob(chunks).arrayBuffer())
}

async function readInto(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>) {
  let length = 0
  while (length <= MAX_KNOWN_BYTES) {
    // oxlint-disable-next-line no-await-in-loop -- one chunk after the other
    const { done, value } = await reader.read()
    if (done) return
    chunks.push(value)
    length += value.byteLength
  }
}
