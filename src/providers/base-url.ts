/** Where a request with a key goes, at the provider's origin or the user's own base URL, and what its addresses are for the caller. */

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

/** A place at the provider. */
export interface Place {
  /** The provider's origin, or the user's base URL. It has no slash at its end. */
  base: string
  /** The URL that was asked, below `base`. A relative reference begins there. */
  target: string
}

/**
 * Where a request goes for a path and its query. Null if it would leave the base, if the key's base URL is missing, if the
 * host of that is no longer listed, or if the provider got an origin after the key was saved for that URL.
 */
export function findPlace(provider: Provider, path: string, baseUrl: string | null): Place | null {
  const base = findBase(provider, baseUrl)
  if (base === null) return null
  const { href: target } = new URL(base + path)
  return target.startsWith(`${base}/`) ? { base, target } : null
}

function findBase({ origin, hosts = [] }: Provider, baseUrl: string | null): string | null {
  if (origin !== undefined) return baseUrl === null ? origin : null
  const url = baseUrl === null ? null : parseBaseUrl(baseUrl)
  return url !== null && isAllowed(url, hosts) ? baseUrl : null
}

/** The path below the base that was asked, without the query. */
export function askedPath({ base, target }: Place): string {
  return /^[^?#]*/.exec(target.slice(base.length))?.[0] ?? ''
}

/** A place at the provider, and what its base is for the caller: `https://vault.example.com/relay/openai`. */
export interface Passage extends Place {
  root: string
}

/**
 * The address that `reference` has for the caller, which is a URL at the provider or relative to the request's. Returns
 * null for everything that is not below the provider.
 */
export function callersUrl(reference: string, { base, target, root }: Passage): string | null {
  // It is parsed alone first: `https:host` is a URL, but after a base it would be a path.
  const to = URL.parse(reference) ?? URL.parse(reference, target)
  if (to === null) return null
  if (/^wss?:$/.test(to.protocol)) return moveUrl(to, toSocket(base), toSocket(root))
  return moveUrl(to, base, root)
}

/** The same address for WebSockets. */
function toSocket(url: string): string {
  return url.replace(/^http/, 'ws')
}

/** The URL below `root` that `to` is below `base`; null if `to` is not below `base`. */
function moveUrl(to: URL, base: string, root: string): string | null {
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
