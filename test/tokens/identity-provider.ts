/** An identity provider for a test: its key server on localhost, its keys and its tokens. */

import { SignJWT } from 'jose'
import { inject, onTestFinished } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import type { VaultError } from '../../src/errors.ts'
import { tokenVerifier, type AccessToken, type VerifyToken } from '../../src/tokens/access-token.ts'
import { signingKey, type SigningKey } from './signing-keys.ts'

const CONTROL = inject('keyServers')
export const ISSUER = 'https://id.test/'
export const AUDIENCE = 'vault'

/** Starts a key server that serves no key yet, and stops after the test. */
export async function startIdentityProvider() {
  const origin = await (await fetch(CONTROL, { method: 'POST' })).text()
  const url = new URL('/jwks.json', origin)

  async function control(method: string, body?: string, query = ''): Promise<string> {
    const response = await fetch(`${CONTROL}/${url.port}${query}`, {
      method,
      ...(body !== undefined && { body }),
    })
    if (!response.ok) throw new Error(await response.text())
    return response.text()
  }

  onTestFinished(async () => void (await control('DELETE')))
  return {
    url,
    /** Serves `body`, with the status and the location of `query`. */
    serveText: async (body: string, query = '') => control('PUT', body, query),
    serve: async (keys: SigningKey[], query = '') =>
      control('PUT', JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }), query),
    /** How often the key set was fetched. */
    fetches: async () => Number(await control('GET')),
    stop: async () => control('DELETE'),
    verify: await verifierOf(url),
  }
}

/** Verifies tokens with the key set at `url`, as one isolate does. */
async function verifierOf(url: URL): Promise<VerifyToken> {
  const source = { kind: 'key_set', url, issuer: ISSUER, audience: AUDIENCE } as const
  return tokenVerifier([source], {
    identityClaim: 'sub',
    scope: null,
    pageClient: null,
    servers: null,
    teams: null,
  })
}

/** The user id of a token that is verified, or the code of its refusal. */
export async function outcomeOf(verified: Promise<AccessToken>): Promise<string> {
  return verified.then(
    ({ userId }) => String(userId),
    ({ code }: VaultError) => code,
  )
}

/** A token of the user `jane` that `key` signs. */
export async function tokenBy(key: SigningKey, claims = {}, header = {}): Promise<string> {
  const payload = { sub: 'jane', iss: ISSUER, aud: AUDIENCE, exp: inSeconds(7200), ...claims }
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: 'at+jwt', ...header })
    .sign(key.privateKey)
}

/** Starts a provider that serves one ES256 key, with a token of that key. */
export async function someIdentityProvider(query = '') {
  const provider = await startIdentityProvider()
  const key = await signingKey('ES256')
  await provider.serve([key], query)
  return { ...provider, key, token: await tokenBy(key) }
}
