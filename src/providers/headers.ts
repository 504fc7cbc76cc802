/** The headers that pass between a caller and a provider. None of them reveals the key. */

import { keySearch } from './key-search.ts'
import { keyPlaces, matchesCredential, matchesHeader, type Provider } from './provider.ts'

/** The headers that a caller may send to every provider: on the body, the response and the client library. */
const REQUEST_HEADERS = [
  'accept',
  'accept-language',
  'content-encoding',
  'content-language',
  'content-type',
  'idempotency-key',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'prefer',
  'range',
  'user-agent',
  'x-client-request-id',
  'x-fern-*',
  'x-stainless-*',
]

/** Hop-by-hop headers (RFC 9110 §7.6.1), and those that only a browser can use. */
const DROPPED_FROM_RESPONSE = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'set-cookie',
  'set-cookie2',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** All headers of an answer of a Worker together may have 128 KB: https://developers.cloudflare.com/workers/platform/limits/ */
const MAX_SEARCHED_LENGTH = 128 * 1024

/** The caller's allowed headers, the provider's own headers, and the key. */
export function requestHeaders(provider: Provider, apiKey: string, sent: Headers): Headers {
  const { header, scheme, headers = {}, request_headers: own = [] } = provider
  const defaults = Object.keys(headers).filter((name) => !matchesCredential(name))
  const allowed = [...REQUEST_HEADERS, ...own, ...defaults]
  const keys = keyPlaces(provider).map((place) => place.header)
  const outgoing = new Headers(
    Array.from(sent).filter(([name]) => isOneOf(allowed, name) && !isOneOf(keys, name)),
  )
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  outgoing.set('Accept-Encoding', acceptedCoding(sent.get('Accept-Encoding')))
  if (asksForWebSocket(sent)) {
    outgoing.set('Upgrade', 'websocket')
    const protocols = subprotocols(sent)
    if (protocols !== '') outgoing.set('Sec-WebSocket-Protocol', protocols)
  }
  outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
}

function isOneOf(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesHeader(pattern, name))
}

/** Whether a request opens a WebSocket (RFC 6455 §4.1). */
export function asksForWebSocket(sent: Headers): boolean {
  return sent.get('Upgrade')?.toLowerCase() === 'websocket'
}

/** The WebSocket subprotocols, without `openai-insecure-api-key.…`, in which browsers send credentials. */
function subprotocols(sent: Headers): string {
  const items = sent.get('Sec-WebSocket-Protocol')?.split(',') ?? []
  return items.filter((item) => !/key|token/i.test(item)).join(',')
}

/**
 * The one coding that the vault asks for, since it has to read errors: gzip if the caller accepts that (RFC 9110 §12.5.3),
 * or identity.
 */
function acceptedCoding(sent: string | null): 'gzip' | 'identity' {
  if (sent === null) return 'gzip'
  const weights = sent.split(',').map((item): [coding: string, weight: string] => {
    const [coding = '', ...parameters] = item.toLowerCase().split(';')
    const weight = parameters.map((one) => one.trim()).find((one) => one.startsWith('q='))
    return [coding.trim(), weight?.slice(2) ?? '1']
  })
  const weightOf = (...names: string[]) => weights.find(([coding]) => names.includes(coding))?.[1]
  return Number(weightOf('gzip', 'x-gzip') ?? weightOf('*') ?? 0) > 0 ? 'gzip' : 'identity'
}

/** The provider's headers without those that hold the key, are too long to be searched, or that only the vault sets. */
export function responseHeaders(received: Headers, apiKey: string): Headers {
  const find = keySearch(apiKey)
  const isSafe = (text: string) => text.length <= MAX_SEARCHED_LENGTH && find(text).length === 0
  const passing = Array.from(received).filter(
    ([name]) => !DROPPED_FROM_RESPONSE.has(name) && !name.startsWith('x-vault-'),
  )
  // One search takes less time than one for each header.
  if (isSafe(passing.flat().join('\n'))) return new Headers(passing)
  return new Headers(passing.filter((header) => header.every(isSafe)))
}
