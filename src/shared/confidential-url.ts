/** Where a secret may be sent, or be relied on: over TLS, or on this very machine. */

/** Whether `text` is an `https:` URL without a password, or an `http:` one of localhost. */
export function isConfidentialUrl(text: string): boolean {
  const { protocol, hostname = '', username, password } = URL.parse(text) ?? {}
  // WHATWG URLs may have a `*` in their host, which no resolver finds.
  if (username || password || hostname.includes('*')) return false
  return protocol === 'https:' || (protocol === 'http:' && isLocalhost(hostname))
}

/** Whether a URL's host name is this very machine. */
export function isLocalhost(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '127.0.0.1' || hostname === '[::1]'
}
