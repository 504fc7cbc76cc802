/** What signs tokens for the tests of several sources, and vaults that have these sources. */

import { base64url, exportSPKI, importJWK, type CryptoKey } from 'jose'
import { vi } from 'vitest'
import { readSettings } from '../../src/settings.ts'
import { tokenVerifier, type VerifyToken } from '../../src/tokens/access-token.ts'
import { env } from '../isolate.ts'
import { encode, sign } from './signed-tokens.ts'
import type { SigningKey } from './signing-keys.ts'

/** A vault's answer to a token: the user id and the client, or the detail of the refusal. */
export async function answerOf(verify: VerifyToken, token: string): Promise<unknown> {
  return verify(token).then(
    ({ userId, client }) => ({ userId, client }),
    ({ detail, code }) => detail ?? code,
  )
}

const OFF = { JWT_SECRET_KEY: '', MANAGE_CLIENTS: '', MANAGE_SCOPE: '' }

/** The verifier of a vault with these variables, in an isolate of its own. Without them, it has no source. */
export function vaultOf(vars: Partial<Env>): VerifyToken {
  const { tokenSources, tokenRules } = readSettings({ ...env, ...OFF, ...vars })
  const opening = tokenVerifier(tokenSources, tokenRules)
  return async (token) => (await opening)(token)
}

export const KEY_SET_URL = 'https://id.test/jwks.json'

/** Serves a key set at {@link KEY_SET_URL} until the test ends. */
export function serveKeySet(keys: readonly object[]): void {
  const { fetch: send } = globalThis
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) =>
    input instanceof URL && input.href === KEY_SET_URL
      ? Response.json({ keys })
      : send(input, init),
  )
}

/** The public half as SPKI in PEM. */
export async function pemOf({ jwk, alg }: SigningKey): Promise<string> {
  const key = await importJWK(jwk, alg, { extractable: true })
  if (key instanceof Uint8Array) throw new Error('A public key is not a secret')
  return exportSPKI(key)
}

/** Signs over claims. It writes the header too. */
export type Sign = (claims: object) => Promise<string>

/** An HMAC whose secret is the bytes of a text. */
export const bySecret =
  (secret: string, header = {}): Sign =>
  async (claims) =>
    sign({ alg: 'HS256', typ: 'JWT', ...header }, claims, { secret })

export const byKey =
  ({ privateKey, alg, kid }: SigningKey, header = {}): Sign =>
  async (claims) =>
    signRaw(privateKey, { alg, kid, typ: 'JWT', ...header }, claims)

/** A header that says `none`, and no signature. */
export const unsigned: Sign = async (claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`

/** Signs what a library refuses to sign: a header whose `alg` is not that of the key. */
async function signRaw(key: CryptoKey, header: object, claims: object): Promise<string> {
  const { algorithm } = key
  const isP384 = 'namedCurve' in algorithm && algorithm.namedCurve === 'P-384'
  const how = { name: algorithm.name, hash: isP384 ? 'SHA-384' : 'SHA-256', saltLength: 32 }
  const input = `${encode(header)}.${encode(claims)}`
  const signature = await crypto.subtle.sign(how, key, new TextEncoder().encode(input))
  return `${input}.${base64url.encode(new Uint8Array(signature))}`
}
