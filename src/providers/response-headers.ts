/** The headers of a provider's answer that must never pass, whatever configuration lets pass. */

import * as z from 'zod/mini'

/**
 * What a browser applies to a document or to a whole origin, what a server before the vault obeys, and what only the
 * vault sets. As names or as `prefix-*`: https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers
 */
const NEVER = [
  'accept-ch*',
  'access-control-*',
  'activate-storage-access',
  'ad-auction-*',
  'alt-svc',
  'attribution-reporting-*',
  'cache-control',
  'clear-site-data',
  'content-security-policy*',
  'critical-ch',
  'cross-origin-*',
  'document-*',
  'expires',
  'feature-policy',
  'integrity-policy*',
  'login-status',
  'nel',
  'no-vary-search',
  'observe-browsing-topics',
  'origin-*',
  'permissions-policy*',
  'pragma',
  'proxy-*',
  'public-key-pins*',
  'referrer-policy',
  'refresh',
  'report-to',
  'reporting-endpoints',
  'require-document-policy',
  'sec-*',
  'secure-session-*',
  'service-worker*',
  'set-*',
  'shared-storage-*',
  'sourcemap',
  'speculation-rules',
  'strict-transport-security',
  'supports-loading-mode',
  'timing-allow-origin',
  'use-as-dictionary',
  'www-authenticate',
  'x-accel-redirect',
  'x-content-*',
  'x-dns-prefetch-control',
  'x-download-options',
  'x-frame-options',
  'x-permitted-*',
  'x-sendfile',
  'x-sourcemap',
  'x-ua-compatible',
  'x-vault-*',
  'x-webkit-csp*',
  'x-xss-protection',
]

/** Whether a lower-case header must never pass, or one of those that a lower-case pattern means. */
export function neverPasses(pattern: string): boolean {
  const start = pattern.replace('*', '')
  return NEVER.some((never) => {
    const first = never.replace('*', '')
    const isMeant = first === never ? start === first : start.startsWith(first)
    return isMeant || (start !== pattern && first.startsWith(start))
  })
}

/** A name or `prefix-*` in `response_headers`. */
export const responsePattern = z.string('must be a string').check(
  z.regex(/^[\w-]+\*?$/, 'is not a header name, nor the beginning of one followed by *'),
  z.refine(
    (pattern) => !neverPasses(pattern.toLowerCase()),
    'would let a header pass that a browser applies to the vault',
  ),
)
