/** Stands for an OpenID provider: a `fetch` that gives its metadata, and tokens that it signs. */

import { generateKeyPair, SignJWT } from 'jose'
import { onTestFinished, vi } from 'vitest'
import type { OidcConfig } from '../../../src/page/site/identity-provider.ts'

export const ISSUER = 'https://login.test'
export const CONFIG: OidcConfig = {
  issuer: ISSUER,
  client_id: 'page-1',
  scope: 'openid profile',
  audience: null,
}
export const NONCE = 'nonce-1'

const { privateKey } = await generateKeyPair('ES256')

/** A token of the provider. */
export async function signToken(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256' }).sign(privateKey)
}

/** An ID token for this page. */
export async function signIdToken(claims: Record<string, unknown> = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1_000)
  const fields = { iss: ISSUER, aud: CONFIG.client_id, sub: 'id-of-alice', iat: now, exp: now + 60 }
  return signToken({ ...fields, nonce: NONCE, ...claims })
}

/** What the token endpoint answers. The access token has its own `sub`. */
export async function issueTokens(fields: object = {}): Promise<object> {
  const access_token = await signToken({ sub: 'alice' })
  const id_token = await signIdToken()
  return { access_token, token_type: 'bearer', expires_in: 600, id_token, ...fields }
}

/** The provider's metadata. */
export const METADATA = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize?tenant=1`,
  token_endpoint: `${ISSUER}/token`,
  end_session_endpoint: `${ISSUER}/logout?tenant=1`,
  id_token_signing_alg_values_supported: ['ES256'],
}

/** For the current test, the provider answers the token endpoint with these in turn. */
export function standForProvider(
  tokens: (object | Response)[] = [],
  metadata: () => object | Response | Promise<Response> = () => METADATA,
) {
  const grants: Record<string, string>[] = []
  const urls: string[] = []
  vi.stubGlobal('fetch', async (url: string | URL, init: RequestInit = {}) => {
    urls.push(url instanceof URL ? url.href : url)
    if (!(init.body instanceof URLSearchParams)) return respond(await metadata())
    grants.push(Object.fromEntries(init.body))
    const answer = tokens.shift()
    if (answer === undefined) throw new TypeError('One request too many')
    return respond(answer)
  })
  onTestFinished(() => {
    vi.stubGlobal('fetch', undefined)
  })
  return { grants, urls }
}

function respond(answer: object): Response {
  return answer instanceof Response ? answer : Response.json(answer)
}
