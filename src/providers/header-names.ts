/** The names of headers: those that a provider's description may not name, and those that never pass. */

import { CREDENTIALS } from '../shared/credential-headers.ts'
import { VAULT_PREFIX } from '../shared/vault-headers.ts'

/** What belongs to one connection (RFC 9110 §7.6.1). */
export const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** Headers that the runtime or the connection sets. */
const RESERVED = new Set(['host', 'content-length', ...HOP_BY_HOP])

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

/** Whether the lower-case header `name` matches `pattern`, which may end in `*`. */
export function matchesHeader(pattern: string, name: string): boolean {
  const wanted = pattern.toLowerCase()
  return wanted.endsWith('*') ? name.startsWith(wanted.slice(0, -1)) : name === wanted
}

/** Tells whether a lower-case name matches one of the patterns: as {@link matchesHeader}, but without reading them again. */
export function headerMatcher(patterns: readonly string[]): (name: string) => boolean {
  const names = new Set(patterns.map((pattern) => pattern.toLowerCase()))
  const open = Array.from(names).filter((name) => name.endsWith('*'))
  const beginnings = open.map((name) => name.slice(0, -1))
  return (name) => names.has(name) || beginnings.some((beginning) => name.startsWith(beginning))
}

/** Whether the runtime, the connection or the vault sets a header of this name. */
export function isReserved(name: string): boolean {
  const lower = name.toLowerCase()
  return RESERVED.has(lower) || lower.startsWith(VAULT_PREFIX)
}

/** Whether `pattern` matches a header that carries a caller's own credentials, or that only the vault reads. */
export function matchesCredential(pattern: string): boolean {
  return (
    CREDENTIALS.some((name) => matchesHeader(pattern, name)) || matchesHeader(pattern, VAULT_PREFIX)
  )
}

/** Whether a header of a provider's answer must never pass. For a lower-case pattern: whether it matches such a header. */
export function neverPasses(pattern: string): boolean {
  return isNever(pattern) || (pattern.endsWith('*') && NEVER.some(headerMatcher([pattern])))
}

const isNever = headerMatcher(NEVER)
