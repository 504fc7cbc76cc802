/** The page at `/`. Its policy lets it connect to this service and the identity provider only. */

import type { Context, MiddlewareHandler } from 'hono'
import { errorFields, log } from '../log.ts'
import { SECURITY_HEADERS } from '../security-headers.ts'
import { openFront } from '../service.ts'
import { fetchTokenEndpoint } from './token-endpoint.ts'

const MAX_AGE_MS = 600_000
const FAILURE_COOLDOWN_MS = 10_000

interface PageEnv {
  Bindings: Env
}

/** The origins of each issuer, and until when they hold, in milliseconds since the epoch. */
const known = new Map<string, { origins: string; until: number }>()

/** CSP Level 3, with Trusted Types: no inline script or style, no frame, no third party. */
const policy = (origins: string) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${origins}`.trim(),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types api-key-settings',
  ].join('; ')

/** With {@link SECURITY_HEADERS}, those of Hono's secureHeaders, which would weigh 1 KiB more. */
const PAGE_HEADERS = Object.entries({
  ...SECURITY_HEADERS,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Origin-Agent-Cluster': '?1',
  'X-DNS-Prefetch-Control': 'off',
  'X-Download-Options': 'noopen',
  'X-Permitted-Cross-Domain-Policies': 'none',
  'X-XSS-Protection': '0',
})

/** Sets them when the answer exists, since an error has them too. */
export const pageHeaders: MiddlewareHandler<PageEnv> = async (c, next) => {
  const { issuer } = openFront(c.env)
  const origins = issuer === null ? '' : await findOrigins(issuer)
  await next()
  const { headers } = c.res
  for (const [name, value] of PAGE_HEADERS) headers.set(name, value)
  headers.set('Content-Security-Policy', policy(origins))
}

/**
 * Where the page sends requests to sign a user in: the issuer's origin, and that of its token endpoint. If the issuer does
 * not name one, it is only the issuer's origin.
 */
async function findOrigins(issuer: string): Promise<string> {
  const last = known.get(issuer)
  if (last !== undefined && Date.now() < last.until) return last.origins
  const origins = [originOf(issuer)]
  let until = Date.now() + MAX_AGE_MS
  try {
    origins.push(originOf(await fetchTokenEndpoint(issuer)))
  } catch (error) {
    until = Date.now() + FAILURE_COOLDOWN_MS
    log('warn', 'sign_in_discovery_failed', { error: errorFields(error) })
  }
  const found = { origins: [...new Set(origins)].join(' ').trim(), until }
  known.set(issuer, found)
  return found.origins
}

/** Empty if its host has a character that means something in a policy: `https://a;sandbox` is a URL. */
function originOf(url: string): string {
  const { origin } = new URL(url)
  return /^https?:\/\/[\w.:[\]-]+$/.test(origin) ? origin : ''
}

/** Answers with the page's static asset. */
export async function servePage({ env, req }: Context<PageEnv>): Promise<Response> {
  // Leaves the request's body out: nobody reads it.
  const asked = new Request(req.url, { method: req.method, headers: req.raw.headers })
  const page = await openFront(env).assets.fetch(asked)
  return new Response(page.body, page)
}
