/** The URLs that are safe for a secret: over TLS, or on the same machine. */

/** Whether `text` is an `https:` URL, or an `http:` URL of localhost, and has no password. */
export function isConfidentialUrl(text: string): boolean {
  const { protocol, hostname = '', username, password } = URL.parse(text) ?? {}
  // A WHATWG URL may have a `*` in its host, although no resolver finds such a host.
  if (username || password || hostname.includes('*')) return false
  return protocol === 'https:' || (protocol === 'http:' && isLocalhost(hostname))
}

/**
 * Whether the identity provider `issuer` may name the endpoint, also on another host: over https, as Amazon Cognito
 * does, or on localhost if the issuer is there.
 */
export function isEndpointOf(issuer: URL, endpoint: unknown): endpoint is string {
  if (typeof endpoint !== 'string' || !isConfidentialUrl(endpoint)) return false
  return issuer.protocol === 'http:' || endpoint.startsWith('https:')
}

/** Whether a URL's host name is localhost. */
export function isLocalhost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}
