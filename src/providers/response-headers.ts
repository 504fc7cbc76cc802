/** The headers of a provider's answer that must never pass, whatever configuration lets pass. */

import * as z from 'zod/mini'

/**
 * What a browser applies to an origin or a document, what a server in front of the vault obeys, and what only the
 * vault or the connection sets. `*` ends a pattern: https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers
 */
const NEVER = [
  // Who may read the answer, and what its document may do
  'access-control-*',
  'allow-csp-from',
  'connection-allowlist*',
  'content-security-policy*',
  'cross-origin-*',
  'document-*',
  'feature-policy',
  'integrity-policy*',
  'permissions-policy*',
  'referrer-policy',
  'require-document-policy',
  'timing-allow-origin',
  // What lasts for the origin, or for later requests
  'accept-ch*',
  'activate-storage-access',
  'alt-svc',
  'alternate-protocol',
  'clear-site-data',
  'critical-ch',
  'delegate-ch',
  'expect-ct',
  'expect-staple',
  'large-allocation',
  'origin-agent-cluster',
  'origin-trial',
  'p3p',
  'public-key-pins*',
  'service-worker*',
  'strict-transport-security',
  'supports-loading-mode',
  'use-as-dictionary',
  // Sign-in and storage
  'idp-signin-status',
  'login-status',
  'proxy-authenticate',
  'sec-*',
  'secure-session-*',
  'set-cookie*',
  'set-login',
  'www-authenticate',
  // Caches, reports, advertisements, and requests of its own
  'ad-auction-*',
  'attribution-reporting-*',
  'cache-control',
  'cdn-cache-control',
  'expires',
  'nel',
  'no-vary-search',
  'observe-browsing-topics',
  'pragma',
  'refresh',
  'report-to',
  'reporting-endpoints',
  'shared-storage-write',
  'sourcemap',
  'speculation-rules',
  'surrogate-control',
  // The same, before the standard
  'x-accel-redirect',
  'x-content-security-policy*',
  'x-content-type-options',
  'x-dns-prefetch-control',
  'x-download-options',
  'x-frame-options',
  'x-permitted-cross-domain-policies',
  'x-sendfile',
  'x-sourcemap',
  'x-ua-compatible',
  'x-webkit-csp*',
  'x-xss-protection',
  // The vault and the connection
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-vault-*',
]

const NAMES = new RegExp(`^(?:${NEVER.join('|').replaceAll('*', '.*')})$`)

/** Whether the lower-case header `name` must never pass. */
export function neverPasses(name: string): boolean {
  return NAMES.test(name)
}

/** A name or `prefix-*` in `response_headers`. */
export const responsePattern = z.string('must be a string').check(
  z.regex(/^[\w-]+\*?$/, 'is not a header name, nor the beginning of one followed by *'),
  z.refine(
    (pattern) => !NEVER.some((never) => overlap(never, pattern.toLowerCase())),
    'would let a header pass that a browser applies to the vault, or that only the vault sets',
  ),
)

/** Whether there is a name that both patterns mean. */
function overlap(one: string, other: string): boolean {
  const [first, second] = [one.replace('*', ''), other.replace('*', '')]
  const isFirst = one.endsWith('*') ? second.startsWith(first) : second === first
  return isFirst || (other.endsWith('*') && first.startsWith(second))
}
