/** Which headers cross between a caller and a provider, and that none gives the key away. */

import type { Provider } from './provider.ts'

/** What any caller may send to any provider: about the body, the wanted answer and the client library. */
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

/** Hop by hop (RFC 9110 §7.6.1), and what only a browser has a use for. */
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

/** A key under this length occurs in headers by chance. */
const MIN_SEARCHED_LENGTH = 8

/** The caller's headers as far as they may pass, the provider's own ones, and the key. */
export function requestHeaders(provider: Provider, apiKey: string, sent: Headers): Headers {
  const { header, scheme, headers = {}, request_headers: own = [] } = provider
  const allowed = [...REQUEST_HEADERS, ...own, ...Object.keys(headers)]
  const outgoing = new Headers(
    Array.from(sent).filter(([name]) => allowed.some((pattern) => matches(pattern, name))),
  )
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
}

/** `name`, or `prefix-*`; `name` is in lower case. */
function matches(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase()
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted
}

/** The provider's headers without those that hold the key. */
export function responseHeaders(received: Headers, apiKey: string): Headers {
  const holdsKey = keyFinder(apiKey)
  return new Headers(
    Array.from(received).filter(
      ([name, value]) => !DROPPED_FROM_RESPONSE.has(name) && !holdsKey(name) && !holdsKey(value),
    ),
  )
}

/**
 * Finds the key in a text: as it is, percent-encoded, in hex, and in base64 or base64url at any offset,
 * all regardless of case. A key under 8 characters is found as a word of its own, and in no other form.
 */
function keyFinder(apiKey: string): (text: string) => boolean {
  if (apiKey.length < MIN_SEARCHED_LENGTH) {
    return (text) => text.split(/[\s,;:="'&?]+/).includes(apiKey)
  }
  const bytes = new TextEncoder().encode(apiKey)
  const forms = [
    apiKey,
    encodeURIComponent(apiKey),
    bytes.toHex(),
    ...[0, 1, 2].map((offset) => base64At(offset, bytes)),
  ].map((form) => form.toLowerCase())
  return (text) => {
    const lower = text.toLowerCase()
    const standard = lower.replaceAll('-', '+').replaceAll('_', '/')
    return forms.some((form) => lower.includes(form) || standard.includes(form))
  }
}

/** The characters that `bytes` give after `offset` other bytes, whatever comes before or after. */
function base64At(offset: number, bytes: Uint8Array): string {
  const encoded = new Uint8Array([...new Uint8Array(offset), ...bytes]).toBase64()
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
}
