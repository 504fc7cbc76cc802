/** Sends requests with a user's key to a provider, and sees in its answers what it says of the key. */

import { isJsonObject, parseJson } from '../shared/json.ts'
import type { Verdict } from '../shared/slot.ts'
import { findPlace, type Credential } from './base-url.ts'
import {
  dropByteHeaders,
  hideKey,
  isErrorText,
  READ_TIMEOUT_MS,
  readErrorBody,
  readStart,
} from './error-body.ts'
import { requestHeaders, responseHeaders } from './headers.ts'
import type { AnswerPattern, Provider } from './provider.ts'

/** What of a caller's request the vault reads. */
export type Sent = Pick<Request, 'url' | 'method' | 'headers' | 'body' | 'signal'>

/** A provider's answer to a request with a key. */
export interface Answer {
  /** Without the key in a header or in the text of an error. Its body streams, unless the vault has read it. */
  response: Response
  /** Whether it clearly rejects the key. */
  isRefusal: boolean
}

/**
 * Sends `request` to the provider with `apiKey` in it, and without the caller's own credentials. It
 * returns a redirect, and does not follow it.
 *
 * @throws Error if the provider cannot be reached
 */
export async function fetchWithKey(
  provider: Provider,
  apiKey: string,
  request: Sent,
): Promise<Answer> {
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
  return hideKeyIn(await fetch(url, init), provider, apiKey)
}

async function hideKeyIn(received: Response, provider: Provider, apiKey: string): Promise<Answer> {
  const { status, body, webSocket } = received
  const headers = responseHeaders(received.headers, apiKey)
  if (!isErrorText(received)) {
    const response = new Response(body, { status, headers, webSocket })
    return { response, isRefusal: matches(provider.refusals, status, null) }
  }
  const read = await readErrorBody(received)
  dropByteHeaders(headers)
  const response = new Response(hideKey(read, apiKey), { status, headers })
  return { response, isRefusal: matches(provider.refusals, status, read.bytes) }
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
  const url = probeUrl(provider, provider.probe, baseUrl)
  if (url === null) return { verdict: 'unknown', reason: 'no base URL' }
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS)
  try {
    const { response, isRefusal } = await fetchWithKey(
      provider,
      apiKey,
      new Request(url, { signal }),
    )
    const verdict = isRefusal ? 'refused' : await judgeProbe(provider, response)
    if (!response.bodyUsed) await response.body?.cancel()
    return { verdict, reason: `HTTP ${response.status}` }
  } catch (error) {
    return { verdict: 'unknown', reason: error instanceof Error ? error.name : 'Error' }
  }
}

/** A probe on another host is for keys without a base URL, of a provider with an origin. */
function probeUrl(provider: Provider, probe: string, baseUrl: string | null): string | null {
  if (provider.hosts === undefined && !probe.startsWith('/')) return baseUrl === null ? probe : null
  // Parsing removes each `..`, which would lead out of a base URL.
  const { pathname, search } = new URL(probe, 'https://any.invalid')
  return findPlace(provider, pathname + search, baseUrl)?.target ?? null
}

/** A success may say that the key is turned off. It is read only if the provider says so in this way. */
async function judgeProbe(
  { refusals }: Provider,
  { ok, status, body }: Response,
): Promise<Verdict> {
  if (!ok) return 'unknown'
  if (body === null || !needsBody(refusals, status)) return 'accepted'
  const { bytes, isCut } = await readStart(body, MAX_MATCHED_BYTES)
  if (matches(refusals, status, bytes)) return 'refused'
  return isCut ? 'unknown' : 'accepted'
}

/** A longer body matches nothing, even if it is JSON: providers answer with short ones. */
const MAX_MATCHED_BYTES = 16_384

/** Whether a pattern wants a field in the body of an answer with this status. */
export function needsBody(patterns: readonly AnswerPattern[], status: number): boolean {
  return patterns.some((one) => one.status === status && one.field !== undefined)
}

/**
 * Whether an answer fits one of the patterns. If its body is not JSON, or was not read, only its status can fit. A whole
 * value is compared, so a text in another field never fits.
 */
export function matches(
  patterns: readonly AnswerPattern[],
  status: number,
  body: Uint8Array | null,
): boolean {
  const candidates = patterns.filter((one) => one.status === status)
  if (candidates.some(({ field }) => field === undefined)) return true
  if (candidates.length === 0 || body === null || body.length > MAX_MATCHED_BYTES) return false
  const json = parseJson(new TextDecoder().decode(body))
  return candidates.some(({ field = '', value }) =>
    valuesAt(json, field).some((found) => isValue(found, value)),
  )
}

/** The values of a field that is named by a dotted path. It passes through lists: Google wraps an error in one. */
function valuesAt(json: unknown, field: string): unknown[] {
  let values = [json]
  for (const name of field.split('.')) {
    values = values
      .flat()
      .flatMap((one) => (isJsonObject(one) && Object.hasOwn(one, name) ? [one[name]] : []))
  }
  return values.flat()
}

function isValue(found: unknown, value: AnswerPattern['value']): boolean {
  if (typeof value !== 'string' || !value.endsWith('*')) return found === value
  return typeof found === 'string' && found.startsWith(value.slice(0, -1))
}
