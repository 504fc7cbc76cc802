/** The page at `/`. Its policy lets it connect to this service and the identity provider only. */

import type { Context } from 'hono'
import { secureHeaders } from 'hono/secure-headers'
import { SECURITY_HEADERS } from '../security-headers.ts'
import { openFront } from '../service.ts'

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
    connectSrc: ["'self'", (c: Context<PageEnv>) => openFront(c.env).issuerOrigin ?? ''],
    baseUri: ["'none'"],
    formAction: ["'none'"],
    frameAncestors: ["'none'"],
    requireTrustedTypesFor: ["'script'"],
    trustedTypes: ['api-key-settings'],
  },
  strictTransportSecurity: SECURITY_HEADERS['Strict-Transport-Security'],
  xFrameOptions: 'DENY',
})

/** Answers with the page's static asset. */
export async function servePage({ env, req }: Context<PageEnv>): Promise<Response> {
  // Leaves the request's body out: nobody reads it.
  const asked = new Request(req.url, { method: req.method, headers: req.raw.headers })
  const page = await openFront(env).assets.fetch(asked)
  return new Response(page.body, page)
}
