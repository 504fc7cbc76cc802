/** Strict base64url: of the many texts that decode to the same bytes, exactly one is taken. */

import { base64url } from 'jose'

const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

/** Whether `text` is unpadded base64url whose spare bits are zero (RFC 4648 §3.5, §5). */
export function isBase64url(text: string): boolean {
  return CANONICAL.test(text)
}

/** The bytes of a text that {@link isBase64url}, else null. */
export function decodeBase64url(text: string): Uint8Array | null {
  return isBase64url(text) ? base64url.decode(text) : null
}
