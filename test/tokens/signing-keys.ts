/** Key pairs that sign tokens. */

import { exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'

export interface SigningKey {
  kid: string
  alg: string
  privateKey: CryptoKey
  /** The public half, as a key set has it. */
  jwk: JWK
}

/** Private RSA keys. Making one takes long, and it signs with each RSA algorithm. */
const rsaKeys = new Map<number, Promise<JWK>>()

/** A new key for `alg`. An RSA key is new for each `which` alone. */
export async function signingKey(
  alg: string,
  kid: string = crypto.randomUUID(),
  which = 0,
): Promise<SigningKey> {
  const { privateKey, jwk } = /^[RP]S/.test(alg) ? await rsaKey(alg, which) : await newKey(alg)
  return { kid, alg, privateKey, jwk: { ...jwk, kid, alg, use: 'sig' } }
}

/** The public JWK of a key for `alg`, without any field that is not the key. */
export async function publicJwk(alg: string): Promise<JWK> {
  const { kid: _, alg: __, use: ___, ...jwk } = (await signingKey(alg)).jwk
  return jwk
}

async function newKey(alg: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg)
  return { privateKey, jwk: await exportJWK(publicKey) }
}

async function rsaKey(alg: string, which: number) {
  const jwk = await (rsaKeys.get(which) ?? makeRsaKey(which))
  const privateKey = await importJWK(jwk, alg)
  if (!(privateKey instanceof CryptoKey)) throw new Error('An RSA key is not a secret')
  const { kty, n, e } = jwk
  if (kty === undefined || n === undefined || e === undefined) throw new Error('No RSA key')
  return { privateKey, jwk: { kty, n, e } }
}

async function makeRsaKey(which: number): Promise<JWK> {
  const made = generateKeyPair('RS256', { extractable: true }).then(async ({ privateKey }) =>
    exportJWK(privateKey),
  )
  rsaKeys.set(which, made)
  return made
}
