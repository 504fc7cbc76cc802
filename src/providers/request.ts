/** Sends requests with a user's key to a provider, and sees in its answers what it says of the key. */

import { parseJson } from '../shared/json.ts'
import type { RejectionReason, Verdict } from '../shared/slot.ts'
import { findPattern, MAX_MATCHED_BYTES, needsBody, type RefusalPattern } from './answer-pattern.ts'
import { findPlace, type Credential } from './base-url.ts'
import {
  dropByteHeaders,
  hideKey,
  isErrorText,
  READ_TIMEOUT_MS,
  readErrorBody,
  readStart,
} from './error-body.ts'
import { dropUnsafeHeaders, requestHeaders, type Coding } from './headers.ts'
import type { Provider } from './provider.ts'

/** The parts of a caller's request that the vault reads. */
export interface Sent extends Pick<Request, 'url' | 'method' | 'headers' | 'body' | 'signal'> {
  /** The coding of an answer that the caller can read, if its headers do not say so. It is gzip if it is missing. */
  coding?: Coding | undefined
}

/** A provider's answer to a request with a key. */
export interface Answer {
  /** Without the key in a header or in the text of an error. Its body streams, unless the vault has read it. */
  response: Response
  finding: Finding
}

/** What an answer says of the key: why it is rejected, that its account has no credit left, or nothing. */
export type Finding = { rejection: RejectionReason } | 'exhausted' | null

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
  const url = withoutCredentials(request.url, provider)
  const { method, signal } = request
  // `fetch` throws if a GET has a body, even the empty one of a client that sends `Content-Length: 0`.
  const body = method === 'GET' || method === 'HEAD' ? null : request.body
  const headers = requestHeaders(provider, apiKey, request)
  const init = { method, body, signal, headers, redirect: 'manual', cache: 'no-store' } as const
  return hideKeyIn(await fetch(url, init), provider, apiKey)
}

/** The URL without a password or a key in it. It is parsed only if it may have one. */
function withoutCredentials(address: string, { parameter }: Provider): string {
  const isPlain = !/^[^/]*\/\/[^/?#]*@/.test(address)
  if (isPlain && (parameter === undefined || !address.includes('?'))) return address
  const url = new URL(address)
  url.username = ''
  url.password = ''
  // Even if it deletes nothing, `delete` would rewrite the whole query.
  if (parameter !== undefined && url.searchParams.has(parameter)) url.searchParams.delete(parameter)
  return url.href
}

async function hideKeyIn(received: Response, provider: Provider, apiKey: string): Promise<Answer> {
  const { status, headers, webSocket } = received
  const read = isErrorText(received) ? await readErrorBody(received) : null
  const body = read === null ? received.body : hideKey(read, apiKey)
  const response = new Response(body, { status, headers, webSocket })
  if (read !== null) dropByteHeaders(response.headers)
  dropUnsafeHeaders(response.headers, apiKey)
  return { response, finding: findIn(provider, status, read?.bytes ?? null) }
}

/** The verdict and its reason: `HTTP 401`, or the name of an error such as `TimeoutError`. */
export interface Trial {
  verdict: Verdict
  reason: string
  /** Why the provider rejects the key; null if it does not. */
  rejection: RejectionReason | null
  /** Null if the probe does not tell. */
  hasCredit: boolean | null
}

const UNKNOWN = { verdict: 'unknown', rejection: null, hasCredit: null } as const

/** Sends the provider's probe with the key, within a time limit. It never throws. */
export async function tryKey(provider: Provider, credential: Credential): Promise<Trial> {
  if (provider.probe === undefined) return { ...UNKNOWN, reason: 'no probe' }
  const { apiKey, baseUrl } = credential
  const url = probeUrl(provider, provider.probe, baseUrl)
  if (url === null) return { ...UNKNOWN, reason: 'no base URL' }
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS)
  try {
    const answer = await fetchWithKey(provider, apiKey, new Request(url, { signal }))
    const { response } = answer
    const judged = await judgeProbe(provider, answer)
    if (!response.bodyUsed) await response.body?.cancel()
    return { ...judged, reason: `HTTP ${response.status}` }
  } catch (error) {
    return { ...UNKNOWN, reason: error instanceof Error ? error.name : 'Error' }
  }
}

/** A probe on another host is for keys without a base URL, of a provider with an origin. */
function probeUrl(provider: Provider, probe: string, baseUrl: string | null): string | null {
  if (provider.hosts === undefined && !probe.startsWith('/')) return baseUrl === null ? probe : null
  // Parsing removes each `..`, which would lead out of a base URL.
  const { pathname, search } = new URL(probe, 'https://any.invalid')
  return findPlace(provider, pathname + search, baseUrl)?.target ?? null
}

/** What the answer to a probe proves. If the probe shows credit, an answer that none is left proves that the key is good. */
async function judgeProbe(
  provider: Provider,
  { response, finding: found }: Answer,
): Promise<Omit<Trial, 'reason'>> {
  const finding = found ?? (await findInProbe(provider, response))
  if (finding === 'unclear') return UNKNOWN
  const isExhausted = finding === 'exhausted'
  if (finding !== null && !isExhausted) return { ...UNKNOWN, verdict: 'refused', ...finding }
  const showsCredit = provider.probe_shows_credit === true
  if (isExhausted ? !showsCredit : !response.ok) return UNKNOWN
  return { ...UNKNOWN, verdict: 'accepted', ...(showsCredit && { hasCredit: !isExhausted }) }
}

/**
 * A successful answer may say that the key is turned off. Its body is read only if the provider says so in this way. If it
 * shows the credit, it must be JSON: the page of a proxy shows none.
 */
async function findInProbe(
  provider: Provider,
  { ok, status, body }: Response,
): Promise<Finding | 'unclear'> {
  if (!ok || !needsBody(patternsOf(provider), status)) return null
  const { bytes, isCut } = await readStart(body ?? new Blob().stream(), MAX_MATCHED_BYTES)
  const finding = findIn(provider, status, bytes)
  if (finding !== null) return finding
  const showsCredit = provider.probe_shows_credit === true
  const isUnclear =
    isCut || (showsCredit && parseJson(new TextDecoder().decode(bytes)) === undefined)
  return isUnclear ? 'unclear' : null
}

function patternsOf({ refusals, exhausted = [] }: Provider): RefusalPattern[] {
  return [...refusals, ...exhausted]
}

function findIn(provider: Provider, status: number, body: Uint8Array | null): Finding {
  const found = findPattern(patternsOf(provider), status, body)
  if (found === undefined) return null
  return provider.exhausted?.includes(found) === true
    ? 'exhausted'
    : { rejection: found.reason ?? 'unknown' }
}
