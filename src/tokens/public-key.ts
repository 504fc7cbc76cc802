/** Reads the public keys of `JWT_PUBLIC_KEY`, which are PEM (RFC 7468 §13). */

import * as z from 'zod/mini'
import type { JWK } from 'jose'

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

/** RFC 7518 §3.3 */
const MIN_RSA_BITS = 2_048

/** How the DER of an uncompressed key of a curve begins, in hex, and the bytes of a coordinate (RFC 5480, RFC 8410). */
const CURVES = [
  ['P-256', '3059301306072a8648ce3d020106082a8648ce3d03010703420004', 32],
  ['P-384', '3076301006072a8648ce3d020106052b8104002203620004', 48],
  ['P-521', '30819b301006072a8648ce3d020106052b810400230381860004', 66],
] as const
const ED25519 = /^302a300506032b6570032100([0-9a-f]{64})$/

/** How the DER of an RSA key begins, until the length of its modulus (RFC 8017 §A.1), which has one byte or two. */
const RSA =
  /^30(?:81|82..)..300d06092a864886f70d010101050003(?:81|82..)..0030(?:81|82..)..02(?:81|82(..))(..)/

const KINDS = 'RSA, P-256, P-384, P-521 or Ed25519'

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
  z.transform((pem, { issues }): JWK => {
    const read = readKey(pem)
    if (typeof read !== 'string') return read
    issues.push({ code: 'custom', message: read, input: undefined })
    return z.NEVER
  }),
)

/** One key or several, one after the other. An environment file may have `\n` for each new line. */
export const publicKeys = z.pipe(
  z.pipe(
    z.string('must be a string'),
    z.transform((text) => splitPem(text.replaceAll(/\\r|\\n/g, '\n'))),
  ),
  z.array(publicKey),
)

/** The algorithms of a key that {@link publicKeys} has read. */
export function algorithmsOf({ kty, crv = '' }: JWK): readonly string[] {
  return kty === 'RSA' ? RSA_ALGORITHMS : (CURVE_ALGORITHMS[crv] ?? [])
}

/** Each block begins at its first line. Text before it is an item of its own, and so is refused. */
function splitPem(text: string): string[] {
  return text.trim().split(/(?<=\S)\s*(?=-----BEGIN )/)
}

/** The public key in a PEM block, or why it is not one. */
function readKey(pem: string): JWK | string {
  const [, body] =
    /^-----BEGIN PUBLIC KEY-----([A-Za-z\d+/=\s]+)-----END PUBLIC KEY-----$/.exec(pem) ?? []
  const der = body === undefined ? null : decode(body)
  if (der !== null) return readCurveKey(der) ?? readRsaKey(der) ?? `is not a key of ${KINDS}`
  const [, fault] = OTHER_FORMS.find(([form]) => form.test(pem)) ?? []
  return fault ?? 'is not a public key in PEM: -----BEGIN PUBLIC KEY-----'
}

/** Base64 as hex; null if it is malformed. */
function decode(base64: string): string | null {
  try {
    return Uint8Array.fromBase64(base64).toHex()
  } catch {
    return null
  }
}

function readCurveKey(der: string): JWK | null {
  const [, x] = ED25519.exec(der) ?? []
  if (x !== undefined) return { kty: 'OKP', crv: 'Ed25519', x: base64url(x) }
  for (const [crv, prefix, size] of CURVES) {
    const point = der.slice(prefix.length)
    if (!der.startsWith(prefix) || point.length !== 4 * size) continue
    return {
      kty: 'EC',
      crv,
      x: base64url(point.slice(0, 2 * size)),
      y: base64url(point.slice(2 * size)),
    }
  }
  return null
}

function readRsaKey(der: string): JWK | string | null {
  const [head, high = '', low = ''] = RSA.exec(der) ?? []
  if (head === undefined) return null
  const end = head.length + 2 * Number.parseInt(high + low, 16)
  const modulus = der.slice(head.length, end).replace(/^00/, '')
  const [, size = '', exponent = ''] = /^02(0[1-8])((?:..)+)$/.exec(der.slice(end)) ?? []
  if (exponent === '' || exponent.length !== 2 * Number(size)) return null
  const bits = BigInt(`0x0${modulus}`).toString(2).length
  if (bits < MIN_RSA_BITS) return `is an RSA key under ${MIN_RSA_BITS} bits`
  return { kty: 'RSA', n: base64url(modulus), e: base64url(exponent) }
}

function base64url(hex: string): string {
  return Uint8Array.fromHex(hex).toBase64({ alphabet: 'base64url', omitPadding: true })
}
