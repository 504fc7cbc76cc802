/** Finds the endpoint from which the page gets tokens when it signs a user in. */

import { isEndpointOf } from '../shared/confidential-url.ts'
import { isJsonObject } from '../shared/json.ts'

/** A page waits for the identity provider no longer than this. */
const DISCOVERY_LIMIT_MS = 2_000

/**
 * Asks the issuer for its token endpoint.
 *
 * @throws Error if it does not answer with its own metadata (OpenID Connect Discovery 1.0 §4)
 */
export async function fetchTokenEndpoint(issuer: string): Promise<string> {
  const url = new URL(issuer)
  url.pathname = `${url.pathname.replace(/\/$/, '')}/.well-known/openid-configuration`
  const signal = AbortSignal.timeout(DISCOVERY_LIMIT_MS)
  const response = await fetch(url, { redirect: 'manual', signal })
  if (response.status !== 200) throw new Error(`OIDC_ISSUER answered with ${response.status}`)
  const body = await response.json()
  if (!isJsonObject(body)) throw new Error('OIDC_ISSUER did not answer with metadata')
  const { issuer: named, token_endpoint: endpoint } = body
  if (named !== issuer) throw new Error('The metadata of OIDC_ISSUER names another issuer')
  if (isEndpointOf(url, endpoint)) return endpoint
  throw new Error('The token endpoint of OIDC_ISSUER is not an https: URL')
}
