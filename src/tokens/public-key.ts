/**
 * Finds the public keys that can verify a token, in `JWT_PUBLIC_KEY` (PEM, RFC 7468 §13) and in a key set. In a set, one
 * bad key does not affect the others.
 */

import { createLocalJWKSet, type JWK, type JWTVerifyGetKey } from 'jose'
import * as z from 'zod/mini'
import { VaultError } from '../errors.ts'
import { isJsonObject } from '../shared/json.ts'

/** RFC 7518 §3.3 */
const MIN_RSA_BITS = 2_048

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

/**
 * The keys of `JWT_PUBLIC_KEY`, which are the DER of a SubjectPublicKeyInfo each. They have no `kid`, so that of the
 * token is not compared. The function in the result throws as `keySet`'s does.
 *
 * @throws VaultError `server_misconfigured` if one is not a key that Workers can verify with
 */
export async function openPublicKeys(
  keys: readonly Uint8Array[],
): Promise<{ keys: JWTVerifyGetKey; algorithms: readonly string[] }> {
  const read = await Promise.all(keys.map(readPublicKey))
  const pick = createLocalJWKSet({ keys: read })
  return {
    keys: async ({ alg }, token) => pick({ alg }, token),
    algorithms: read.flatMap(algorithmsOf),
  }
}

const CANDIDATES = [
  { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  ...['P-256', 'P-384', 'P-521'].map((namedCurve) => ({ name: 'ECDSA', namedCurve })),
]

/** How each key of Ed25519 begins (RFC 8410 §10.1). Workers would import a key of another kind as one, too. */
const ED25519 = '302a300506032b6570032100'

async function readPublicKey(der: Uint8Array, index: number): Promise<JWK> {
  const isEd25519 = der.toHex().startsWith(ED25519)
  const candidates = isEd25519 ? [{ name: 'Ed25519' }] : CANDIDATES
  const imported = candidates.map(async (algorithm) =>
    crypto.subtle.importKey('spki', der, algorithm, true, ['verify']),
  )
  const key = await Promise.any(imported).catch(() => null)
  const fault = key === null ? 'not RSA, P-256, P-384, P-521 or Ed25519' : nameShortness(key)
  if (key !== null && fault === null) {
    // The `alg` is only one of those that the key verifies.
    return { ...Object(await crypto.subtle.exportKey('jwk', key)), alg: undefined }
  }
  const cause = new Error(`JWT_PUBLIC_KEY, item ${index + 1}, is ${fault}`)
  throw new VaultError('server_misconfigured', { cause })
}

/** A key that cannot verify a token, with its position in the set. */
export interface DroppedKey {
  index: number
  kid: string | null
  reason: string
}

/** Splits the keys of a set into the usable ones, and the others with the reason. */
export async function sortKeys(
  keys: readonly unknown[],
): Promise<{ usable: JWK[]; dropped: DroppedKey[] }> {
  const signing = keys.map((key, index) => ({ key, index })).filter(({ key }) => isForSigning(key))
  const checked = await Promise.all(
    signing.map(async ({ key, index }) => ({ key, index, fault: await nameFault(key) })),
  )
  const usable = checked.flatMap(({ key, fault }) => (fault === null ? withoutEdDsa(key) : []))
  const dropped = checked.flatMap(({ key, index, fault }) =>
    fault === null ? [] : [{ index, kid: idOf(key), reason: fault }],
  )
  return { usable, dropped }
}

/** Why `key` cannot verify a token; null if it can. */
async function nameFault(key: unknown): Promise<string | null> {
  if (!isJsonObject(key)) return 'not a JSON object'
  if (key['kty'] === 'oct') return 'symmetric'
  if (key['d'] !== undefined) return 'not a public key'
  const { alg = algorithmsOf(key)[0] } = key
  if (typeof alg !== 'string') return 'unknown type or curve'
  try {
    const pick = createLocalJWKSet({ keys: [{ ...Object(key), alg }] })
    return nameShortness(await pick({ alg }))
  } catch (error) {
    return error instanceof Error ? error.name : 'unknown'
  }
}

/** Why `key` is too short for its algorithm; null if it is not. */
function nameShortness({ algorithm }: CryptoKey): string | null {
  const isShort = 'modulusLength' in algorithm && algorithm.modulusLength < MIN_RSA_BITS
  return isShort ? `RSA under ${MIN_RSA_BITS} bits` : null
}

/** Whether a key is meant for signatures. A key for encryption (RFC 7518 §4.1) is ignored, and is not a fault. */
function isForSigning(key: unknown): boolean {
  if (!isJsonObject(key)) return true
  const { use = 'sig', alg } = key
  return use === 'sig' && !/^(?:RSA|ECDH)/.test(String(alg))
}

/** Drops the `alg` of an Ed25519 key, since `EdDSA` and `Ed25519` are the same there (RFC 9864 §2.2). */
function withoutEdDsa(key: unknown): JWK {
  if (!isJsonObject(key) || key['kty'] !== 'OKP') return { ...Object(key) }
  const { alg: _, ...fields } = key
  return fields
}

/** A JWK's own `kid`, cut for the log. */
function idOf(key: unknown): string | null {
  return isJsonObject(key) && typeof key['kid'] === 'string' ? key['kid'].slice(0, 200) : null
}
