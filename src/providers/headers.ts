/** The headers that pass between a caller and a provider. None of them reveals the key. */

import { headerMatcher, HOP_BY_HOP, matchesCredential } from './header-names.ts'
import { keySearch, MIN_SEARCHED_LENGTH } from './key-search.ts'
import { VAULT_PREFIX } from '../shared/vault-headers.ts'
import { isToken, keyPlaces, type Provider } from './provider.ts'

/** The headers that a caller may send to every provider: on the body, the response and the client library. */
export const REQUEST_HEADERS = [
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

/** Tells which headers of a caller pass. */
interface Passing {
  isAllowed: (name: string) => boolean
  /** A header for keys never passes from a caller, whatever else is allowed. */
  isForKey: (name: string) => boolean
}

const passing = new WeakMap<Provider, Passing>()

function passingOf(provider: Provider): Passing {
  const known = passing.get(provider)
  if (known !== undefined) return known
  const { headers = {}, request_headers: own = [] } = provider
  const defaults = Object.keys(headers).filter((name) => !matchesCredential(name))
  const found = {
    isAllowed: headerMatcher([...REQUEST_HEADERS, ...own, ...defaults]),
    isForKey: headerMatcher(keyPlaces(provider).map(({ header }) => header)),
  }
  passing.set(provider, found)
  return found
}

/** Whether a caller may send the header `name` to the provider. */
export function isAllowed(provider: Provider, name: string): boolean {
  return passingOf(provider).isAllowed(name)
}

/**
 * The caller's allowed headers, the provider's own headers, and the key. `coding` is what the caller accepts if it does not
 * say so.
 */
export function requestHeaders(
  provider: Provider,
  apiKey: string,
  { headers: sent, coding = 'gzip' }: { headers: Headers; coding?: Coding | undefined },
): Headers {
  const { header, scheme, headers = {} } = provider
  const { isAllowed: passes, isForKey } = passingOf(provider)
  const outgoing = new Headers()
  for (const [name, value] of sent) {
    if (passes(name) && !isForKey(name)) outgoing.append(name, value)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  outgoing.set('Accept-Encoding', acceptedCoding(sent.get('Accept-Encoding'), coding))
  const protocol = asksForWebSocket(sent)
    ? askForSocket(outgoing, provider, { apiKey, sent })
    : null
  if (protocol !== null) outgoing.delete(header)
  else outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
}

/** Sets the headers that open a WebSocket. @returns as {@link keyProtocol} */
function askForSocket(
  outgoing: Headers,
  provider: Provider,
  { apiKey, sent }: { apiKey: string; sent: Headers },
): string | null {
  const protocol = keyProtocol(provider, apiKey, sent)
  outgoing.set('Upgrade', 'websocket')
  const protocols = [...harmlessProtocols(provider, sent), protocol].filter(Boolean)
  if (protocols.length > 0) outgoing.set('Sec-WebSocket-Protocol', protocols.join(', '))
  return protocol
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

/** What the vault asks a provider for: it has to read errors. */
export type Coding = 'gzip' | 'identity'

/** The one coding that the vault asks for: gzip if the caller accepts that (RFC 9110 §12.5.3), or identity. */
function acceptedCoding(sent: string | null, unsaid: Coding): Coding {
  if (sent === null) return unsaid
  const weightOf = (coding: RegExp) => {
    const item = sent.split(',').find((one) => coding.test(one))
    return item === undefined ? null : Number(/;\s*q=([^\s;]*)/i.exec(item)?.[1] ?? 1)
  }
  const weight = weightOf(/^\s*(?:x-)?gzip\s*(?:;|$)/i) ?? weightOf(/^\s*\*\s*(?:;|$)/) ?? 0
  return weight > 0 ? 'gzip' : 'identity'
}

/** Removes the headers of an answer that hold the key, are too long to search, or are the vault's own. */
export function dropUnsafeHeaders(headers: Headers, apiKey: string): void {
  // All forms of a key are at least as long as the key, and so is what they are decoded from.
  const isLong = (text: string) => text.length >= apiKey.length
  const kept = Array.from(headers).filter(([name]) => {
    const isDropped = DROPPED_FROM_RESPONSE.has(name) || name.startsWith(VAULT_PREFIX)
    if (isDropped) headers.delete(name)
    return !isDropped
  })
  const searched = kept.filter((header) => header.some(isLong))
  if (searched.length === 0) return
  const find = keySearch(apiKey)
  const isSafe = (text: string) => text.length <= MAX_SEARCHED_LENGTH && find(text).length === 0
  // One search takes less time than one for each header.
  if (isSafe(searched.flat().join('\n'))) return
  for (const header of searched) {
    if (!header.every(isSafe)) headers.delete(header[0])
  }
}
