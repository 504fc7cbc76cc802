/** Strict base64url: only one text is accepted for the same bytes. */

import * as base64url from 'jose/base64url'

const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

/** Whether `text` is unpadded base64url whose spare bits are zero (RFC 4648 §3.5, §5). */
export function isBase64url(text: string): boolean {
  return CANONICAL.test(text)
}

/** The bytes of `text`; null if it is not strict base64url. */
export function decodeBase64url(text: string): Uint8Array | null {
  return isBase64url(text) ? base64url.decode(text) : null
}
