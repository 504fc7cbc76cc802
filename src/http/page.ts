/** The page at `/`, under a policy that lets it speak to the identity provider and to nobody else. */

import type { Context } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { readConfig } from '../settings.ts'
import { isConfidentialUrl } from '../shared/confidential-url.ts'

interface PageEnv {
  Bindings: Env
}

/** CSP Level 3, with Trusted Types: no inline script or style, no frame, no third party. */
export const pageHeaders = secureHeaders({
  contentSecurityPolicy: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    connectSrc: ["'self'", (c: Context<PageEnv>) => findIssuerOrigin(c.env)],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    requireTrustedTypesFor: ["'script'"],
    trustedTypes: ['lit-html'],
  },
  xFrameOptions: 'DENY',
})

/** The page as the assets hold it. */
export async function servePage({ env, req }: Context<PageEnv>): Promise<Response> {
  const page = await env.ASSETS.fetch(req.raw)
  return new Response(page.body, page)
}

/** How the page signs a user in: `oidc` is null where it cannot. */
export function describeSignIn(env: Env) {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: client_id, ...config } = readConfig(env)
  if (issuer === undefined) return { oidc: null }
  const { OIDC_SCOPE: scope = 'openid', OIDC_AUDIENCE: audience = null } = config
  return { oidc: { issuer, client_id, scope, audience } }
}

/** A bad configuration is told by what the page asks first, `GET /api/config`. */
function findIssuerOrigin({ OIDC_ISSUER: issuer }: Env): string {
  return (isConfidentialUrl(issuer) && URL.parse(issuer)?.origin) || ''
}
