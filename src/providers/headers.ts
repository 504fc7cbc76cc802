/** Which headers cross between a caller and a provider, and that none gives the key away. */

import { matchesHeader, type Provider } from './provider.ts'

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
    Array.from(sent).filter(([name]) => allowed.some((pattern) => matchesHeader(pattern, name))),
  )
  for (const [name, value] of Object.entries(headers)) {
    if (!outgoing.has(name)) outgoing.set(name, value)
  }
  outgoing.set(header, scheme === undefined ? apiKey : `${scheme} ${apiKey}`)
  return outgoing
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
  const forms = [apiKey, bytes.toHex(), ...[0, 1, 2].map((offset) => base64At(offset, bytes))].map(
    (form) => form.toLowerCase(),
  )
  return (text) => {
    const lower = decodePercent(text).toLowerCase()
    const standard = lower.replaceAll('-', '+').replaceAll('_', '/')
    return forms.some((form) => lower.includes(form) || standard.includes(form))
  }
}

/** Each `%XX` as the ASCII character it stands for (RFC 3986 §2.1): a key has no other characters. */
function decodePercent(text: string): string {
  return text.replace(/%([\dA-F]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** The characters that `bytes` give after `offset` other bytes, whatever comes before or after. */
function base64At(offset: number, bytes: Uint8Array): string {
  const encoded = new Uint8Array([...new Uint8Array(offset), ...bytes]).toBase64()
  return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
}
