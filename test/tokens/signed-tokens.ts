/** Tokens over any header and any claims, made with WebCrypto, since a library would correct them. */

import { base64url } from 'jose'

/** The secret that signs them. */
export const SECRET = 'a shared secret of more than thirty-two bytes'

export const HS256 = { alg: 'HS256', typ: 'JWT' }

export const encode = (value: unknown) => base64url.encode(JSON.stringify(value))

interface SignOptions {
  hash?: string
  secret?: string
}

/** Signs `claims` with an HMAC, whatever the header says. */
export async function sign(
  header: object,
  claims: unknown,
  options: SignOptions = {},
): Promise<string> {
  return signJson(header, JSON.stringify(claims), options)
}

/** Signs the claims in `json`, which may be what JSON.stringify cannot write. */
export async function signJson(
  header: object,
  json: string,
  { hash = 'SHA-256', secret = SECRET }: SignOptions = {},
): Promise<string> {
  const input = `${encode(header)}.${base64url.encode(json)}`
  const bytes = new TextEncoder().encode(secret)
  const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash }, false, ['sign'])
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input))
  return `${input}.${base64url.encode(new Uint8Array(signature))}`
}
