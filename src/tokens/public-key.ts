/** Reads the public keys of `JWT_PUBLIC_KEY`, which are PEM (RFC 7468 §13). */

import * as z from 'zod/mini'

const RSA_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']

/** The algorithms of the curves that Workers can verify (RFC 7518 §3.4, RFC 8037, RFC 9864). */
const CURVE_ALGORITHMS: Readonly<Record<string, readonly string[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  'P-521': ['ES512'],
  Ed25519: ['EdDSA', 'Ed25519'],
}

/** Every public-key signature that Workers can verify. */
export const PUBLIC_KEY_ALGORITHMS = [...RSA_ALGORITHMS, ...Object.values(CURVE_ALGORITHMS).flat()]

/** What to do about a value that is not a public key in PEM, by how it looks. */
const OTHER_FORMS: readonly [form: RegExp, fault: string][] = [
  [
    /PRIVATE KEY/,
    'is a private key: take it out, and set its public key (openssl pkey -in FILE -pubout)',
  ],
  [
    /^-----BEGIN RSA PUBLIC KEY/,
    'is in PKCS#1: convert it (openssl rsa -RSAPublicKey_in -in FILE -pubout)',
  ],
  [
    /^-----BEGIN (?:[A-Z\d]+ )*CERTIFICATE/,
    'is a certificate: take its key (openssl x509 -in FILE -noout -pubkey)',
  ],
  [/^(?:ssh|ecdsa)-/, 'is an SSH key: convert it (ssh-keygen -e -m PKCS8 -f FILE)'],
]

const publicKey = z.pipe(
  z.string(),
  z.transform((pem, { issues }): Uint8Array => {
    const read = readBlock(pem)
    if (typeof read !== 'string') return read
    issues.push({ code: 'custom', message: read, input: undefined })
    return z.NEVER
  }),
)

/** The DER of one key or several, one after the other. An environment file may have `\n` for each new line. */
export const publicKeys = z.pipe(
  z.pipe(
    z.string('must be a string'),
    z.transform((text) => splitPem(text.replaceAll(/\\r|\\n/g, '\n'))),
  ),
  z.array(publicKey),
)

/** The algorithms that a JWK verifies; none if Workers cannot verify with it. */
export function algorithmsOf({ kty, crv }: { kty?: unknown; crv?: unknown }): readonly string[] {
  return kty === 'RSA' ? RSA_ALGORITHMS : (CURVE_ALGORITHMS[String(crv)] ?? [])
}

/** Each block begins at its first line. Text before it is an item of its own, and so is refused. */
function splitPem(text: string): string[] {
  return text.trim().split(/(?<=\S)\s*(?=-----BEGIN )/)
}

/** The bytes of a PEM block, or why it is not a public key. */
function readBlock(pem: string): Uint8Array | string {
  const [, body] =
    /^-----BEGIN PUBLIC KEY-----([A-Za-z\d+/=\s]+)-----END PUBLIC KEY-----$/.exec(pem) ?? []
  try {
    if (body !== undefined) return Uint8Array.fromBase64(body)
  } catch {
    // The base64 is malformed.
  }
  const [, fault] = OTHER_FORMS.find(([form]) => form.test(pem)) ?? []
  return fault ?? 'is not a public key in PEM: -----BEGIN PUBLIC KEY-----'
}
