/** The headers that pass between a caller and a provider. None of them reveals the key. */

import { HOP_BY_HOP, matchesCredential, matchesHeader } from './header-names.ts'
import { keySearch, MIN_SEARCHED_LENGTH } from './key-search.ts'
import { VAULT_PREFIX } from '../shared/vault-headers.ts'
import { isToken, keyPlaces, type Provider } from './provider.ts'

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

/** Those of the connection, and those that only a browser can use. */
const DROPPED_FROM_RESPONSE = new Set([
  ...HOP_BY_HOP,
  'proxy-authenticate',
  'set-cookie',
  'set-cookie2',
])

/** All headers of an answer of a Worker together may have 128 KB: https://developers.cloudflare.com/workers/platform/limits/ */
const MAX_SEARCHED_LENGTH = 128 * 1024

/** The patterns of the headers that a caller may send to the provider. */
function allowedHeaders({ headers = {}, request_headers: own = [] }: Provider): string[] {
  const defaults = Object.keys(headers).filter((name) => !matchesCredential(name))
  return [...REQUEST_HEADERS, ...own, ...defaults]
}

/** Whether a caller may send the header `name` to the provider. */
export function isAllowed(provider: Provider, name: string): boolean {
  return isOneOf(allowedHeaders(provider), name)
}

/** The caller's allowed headers, the provider's own headers, and the key. */
export function requestHeaders(provider: Provider, apiKey: string, sent: Headers): Headers {
  const { header, scheme, headers = {} } = provider
  const allowed = allowedHeaders(provider)
  const keys = keyPlaces(provider).map((place) => place.header)
  const outgoing = new Headers(
    Array.from(sent).filter(([name]) => isOneOf(allowed, name) && !isOneOf(keys, name)),
  )
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  outgoing.set('Accept-Encoding', acceptedCoding(sent.get('Accept-Encoding')))
  const protocol = keyProtocol(provider, apiKey, sent)
  if (asksForWebSocket(sent)) {
    outgoing.set('Upgrade', 'websocket')
    const protocols = [...harmlessProtocols(provider, sent), protocol].filter(Boolean)
    if (protocols.length > 0) outgoing.set('Sec-WebSocket-Protocol', protocols.join(', '))
  }
  if (protocol !== null) outgoing.delete(header)
  else outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
}

function isOneOf(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => matchesHeader(pattern, name))
}

/** Whether a request opens a WebSocket (RFC 6455 §4.1). */
export function asksForWebSocket(sent: Headers): boolean {
  return sent.get('Upgrade')?.toLowerCase() === 'websocket'
}

/** The credential that a browser's request has in a WebSocket subprotocol of the provider; null if there is none. */
export function browserCredential({ subprotocol }: Provider, sent: Headers): string | null {
  if (subprotocol === undefined || !asksForWebSocket(sent)) return null
  const found = offeredProtocols(sent).find((protocol) => protocol.startsWith(subprotocol))
  return found === undefined || found === subprotocol ? null : found.slice(subprotocol.length)
}

/**
 * The subprotocol with the key, for a request whose credential is in one; null if the key goes into a header. A short key
 * always does: it would not be found in the answer, which repeats the subprotocol that the provider chose.
 */
function keyProtocol(provider: Provider, apiKey: string, sent: Headers): string | null {
  const isPossible = apiKey.length >= MIN_SEARCHED_LENGTH && isToken(apiKey)
  if (!isPossible || browserCredential(provider, sent) === null) return null
  return `${provider.subprotocol}${apiKey}`
}

/** The offered subprotocols without those that hold a credential, such as `openai-insecure-api-key.…` or a JWT alone. */
function harmlessProtocols({ subprotocol }: Provider, sent: Headers): string[] {
  return offeredProtocols(sent).filter(
    (protocol) =>
      !/key|token|eyJ[\w-]+\./i.test(protocol) &&
      (subprotocol === undefined || !protocol.startsWith(subprotocol)),
  )
}

function offeredProtocols(sent: Headers): string[] {
  const offered = sent.get('Sec-WebSocket-Protocol') ?? ''
  return offered.split(',').map((protocol) => protocol.trim())
}

/**
 * The one coding that the vault asks for, since it has to read errors: gzip if the caller accepts that (RFC 9110 §12.5.3),
 * or identity.
 */
function acceptedCoding(sent: string | null): 'gzip' | 'identity' {
  if (sent === null) return 'gzip'
  const weightOf = (coding: RegExp) => {
    const item = sent.split(',').find((one) => coding.test(one))
    return item === undefined ? null : Number(/;\s*q=([^\s;]*)/i.exec(item)?.[1] ?? 1)
  }
  const weight = weightOf(/^\s*(?:x-)?gzip\s*(?:;|$)/i) ?? weightOf(/^\s*\*\s*(?:;|$)/) ?? 0
  return weight > 0 ? 'gzip' : 'identity'
}

/** The headers of an answer that pass: not those that hold the key, are too long to search, or are the vault's own. */
export function responseHeaders(received: Headers, apiKey: string): Headers {
  const find = keySearch(apiKey)
  const isSafe = (text: string) => text.length <= MAX_SEARCHED_LENGTH && find(text).length === 0
  const passing = Array.from(received).filter(
    ([name]) => !DROPPED_FROM_RESPONSE.has(name) && !name.startsWith(VAULT_PREFIX),
  )
  // One search takes less time than one for each header.
  if (isSafe(passing.flat().join('\n'))) return new Headers(passing)
  return new Headers(passing.filter((header) => header.every(isSafe)))
}
