/** The headers that pass between a caller and a provider. None of them reveals the key. */

import { matchesCredential, matchesHeader, type Provider } from './provider.ts'

/** The headers that a caller may send to every provider: on the body, the response and the client library. */
const REQUEST_HEADERS = [
  'accept',
  'accept-encoding',
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

/** A shorter key can occur in a header by chance. */
const MIN_SEARCHED_LENGTH = 8

/** The caller's allowed headers, the provider's own headers, and the key. */
export function requestHeaders(provider: Provider, apiKey: string, sent: Headers): Headers {
  const { header, scheme, headers = {}, request_headers: own = [] } = provider
  const defaults = Object.keys(headers).filter((name) => !matchesCredential(name))
  const allowed = [...REQUEST_HEADERS, ...own, ...defaults]
  const outgoing = new Headers(
    Array.from(sent).filter(([name]) => allowed.some((pattern) => matchesHeader(pattern, name))),
  )
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  if (asksForWebSocket(sent)) {
    outgoing.set('Upgrade', 'websocket')
    const protocols = subprotocols(sent)
    if (protocols !== '') outgoing.set('Sec-WebSocket-Protocol', protocols)
  }
  outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
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

/** The provider's headers without those that hold the key, or that only the vault sets. */
export function responseHeaders(received: Headers, apiKey: string): Headers {
  const holdsKey = keyFinder(apiKey)
  return new Headers(
    Array.from(received).filter(
      ([name, value]) =>
        !DROPPED_FROM_RESPONSE.has(name) &&
        !name.startsWith('x-vault-') &&
        !holdsKey(name) &&
        !holdsKey(value),
    ),
  )
}

/**
 * Finds the key in a text: as it is, percent-encoded, in hex, and in base64 or base64url at any offset,
 * all regardless of case. A key under 8 characters is found only as a separate word.
 */
function keyFinder(apiKey: string): (text: string) => boolean {
  if (apiKey.length < MIN_SEARCHED_LENGTH) {
    return (text) => text.split(/[\s,;:="'&?]+/).includes(apiKey)
  }
  const bytes = new TextEncoder().encode(apiKey)
  const forms = [apiKey, bytes.toHex(), ...[0, 1, 2].map((offset) => base64At(offset, bytes))].map(
    (form) => form.toLowerCase(),
  )
  return (text) => {
    const lower = decodePercent(text).toLowerCase()
    const standard = lower.replaceAll('-', '+').replaceAll('_', '/')
    return forms.some((form) => lower.includes(form) || standard.includes(form))
  }
}

/** Decodes each `%XX` (RFC 3986 §2.1) as ASCII, since a key has no other characters. */
function decodePercent(text: string): string {
  return text.replace(/%([\dA-F]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The base64 characters of `bytes` after `offset` other bytes that do not depend on their neighbours. */
function base64At(offset: number, bytes: Uint8Array): string {
  const encoded = new Uint8Array([...new Uint8Array(offset), ...bytes]).toBase64()
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
}
