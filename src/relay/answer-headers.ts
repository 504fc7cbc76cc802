/** The headers of a relayed answer. None of the provider's can change how a browser treats the vault. */

import { SECURITY_HEADERS } from '../security-headers.ts'
import type { RelayTarget } from './target.ts'

/** What a browser would apply to the vault's whole origin, or what the vault says itself. */
const DROPPED =
  /^(?:access-control-.*|alt-svc|cache-control|clear-site-data|content-security-policy.*|cross-origin-.*|expires|nel|origin-agent-cluster|permissions-policy|pragma|referrer-policy|refresh|report-to|reporting-endpoints|service-worker-allowed|sourcemap|speculation-rules|strict-transport-security|www-authenticate|x-content-type-options|x-frame-options|x-sourcemap)$/

/** A provider's document must not run as one of the vault's. */
const OWN = {
  ...SECURITY_HEADERS,
  'Cache-Control': 'no-store',
  'Content-Security-Policy': `sandbox; ${SECURITY_HEADERS['Content-Security-Policy']}`,
}

/** What the vault adds to the provider's headers. */
interface Additions {
  /** The origin of the page that called, if it may call. */
  allowedOrigin: string | null
  requestId: string
  /** The request's URL at the provider. */
  called: string
  target: RelayTarget
}

export function relayedHeaders(received: Headers, additions: Additions): Headers {
  const headers = new Headers(Array.from(received).filter(([name]) => !DROPPED.test(name)))
  for (const [name, value] of Object.entries(OWN)) headers.set(name, value)
  const { allowedOrigin, requestId } = additions
  headers.append('Vary', 'Origin')
  if (allowedOrigin !== null) {
    headers.set('Access-Control-Allow-Origin', allowedOrigin)
    headers.set('Access-Control-Expose-Headers', '*')
  }
  headers.set('X-Vault-Request-Id', requestId)
  moveLocation(headers, additions)
  return headers
}

/**
 * Keeps a redirect on the vault, if it stays with the provider. To any other address, many clients would send
 * the token along, so that address is in `X-Vault-Location`.
 */
function moveLocation(headers: Headers, { called, target: { root } }: Additions): void {
  const location = headers.get('Location')
  if (location === null) return
  headers.delete('Location')
  const base = new URL(called)
  const to = URL.parse(location, base)
  if (to?.origin === base.origin) headers.set('Location', root + to.pathname + to.search + to.hash)
  else headers.set('X-Vault-Location', location)
}
