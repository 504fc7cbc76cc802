/** Where a request with a key goes: to the provider's origin, or to the user's own base URL. */

import { VaultError } from '../errors.ts'
import { isConfidentialUrl } from '../shared/confidential-url.ts'
import type { Provider } from './provider.ts'

const MAX_LENGTH = 2_000

/** A key, and its base URL if its provider has `hosts` instead of an origin. */
export interface Credential {
  apiKey: string
  /** Has no slash at its end. Null for a provider with an origin. */
  baseUrl: string | null
}

/**
 * Checks and normalizes the base URL of a new key. Returns null for a provider with an origin.
 *
 * @throws VaultError `base_url_invalid`
 */
export function requireBaseUrl(provider: Provider | null, given: string | undefined) {
  const hosts = provider?.hosts
  if (hosts === undefined) {
    if (given === undefined) return null
    throw refusal('Leave base_url out: this provider has a fixed address.')
  }
  const url = given === undefined ? null : parseBaseUrl(given)
  if (url !== null && isAllowed(url, hosts)) return url.origin + url.pathname.replace(/\/+$/, '')
  throw refusal(
    `base_url must be an https: URL without a query, on one of these hosts: ${hosts.join(', ')}.`,
  )
}

/** The origin that callers address. For a provider with `hosts`, no resolver finds it (RFC 6761 §6.4). */
export function calledOrigin(name: string, { origin }: Provider): string {
  return origin ?? `https://${name}.invalid`
}

/**
 * The URL that a caller's request goes to; null if the key's base URL is missing, if its host is no longer
 * listed, or if its provider got an origin after the key was saved for that URL.
 */
export function targetUrl(
  { origin, hosts = [] }: Provider,
  url: URL,
  baseUrl: string | null,
): string | null {
  if (origin !== undefined) return baseUrl === null ? url.href : null
  const base = baseUrl === null ? null : parseBaseUrl(baseUrl)
  return base === null || !isAllowed(base, hosts) ? null : baseUrl + url.pathname + url.search
}

/**
 * A `Location` that the provider answered to `target`, for callers. Below `baseUrl` it maps to `called`; otherwise it is
 * absolute.
 */
export function calledLocation(
  location: string,
  { called, baseUrl, target }: { called: string; baseUrl: string; target: string },
): string {
  const to = URL.parse(location, target)
  return to === null ? location : (moveUrl(to, baseUrl, called) ?? to.href)
}

/** The URL below `root` that `to` is below `base`; null if `to` is not below `base`. */
export function moveUrl(to: URL, base: string, root: string): string | null {
  const path = `${to.protocol}//${to.host}${to.pathname}`
  return path.startsWith(`${base}/`) ? root + path.slice(base.length) + to.search + to.hash : null
}

/** Parses a URL of scheme, host, port and path only. Returns null if `text` is not one. */
function parseBaseUrl(text: string): URL | null {
  if (text.length > MAX_LENGTH || /[?#]/.test(text) || !isConfidentialUrl(text)) return null
  return URL.parse(text)
}

/** `*.` stands for one label. */
function isAllowed({ host }: URL, hosts: readonly string[]): boolean {
  return hosts.some((pattern) => {
    if (!pattern.startsWith('*.')) return host === pattern
    return host.slice(host.indexOf('.')) === pattern.slice(1) && !host.startsWith('.')
  })
}

function refusal(detail: string): VaultError {
  return new VaultError('base_url_invalid', { detail })
}
