/** Drops the headers of a request that must not go on, and puts the application's own key in place of the SDK's. */

import { isConfidentialUrl } from '../shared/confidential-url.ts'
import { CREDENTIALS } from '../shared/credential-headers.ts'
import { VAULT_PREFIX } from '../shared/vault-headers.ts'

/** The headers in which SDKs send their key. If a request has several of them, the first one counts. */
const KEY_HEADERS = ['x-goog-api-key', 'x-api-key', 'api-key', 'authorization']

/** Gemini also takes a key from the query. No other provider's `key` is a credential. */
const GEMINI = 'https://generativelanguage.googleapis.com'

/**
 * A bound Worker uses such a host for a provider whose address differs per user. The application's own key has no address
 * there.
 */
const NOWHERE = '.invalid'

/** The headers without those of the vault: a browser whose headers are passed on must not choose whose key is used. */
export function withoutVaultHeaders(sent: Headers): Headers {
  return new Headers([...sent].filter(([name]) => !name.startsWith(VAULT_PREFIX)))
}

/** The headers that may go to another server: without those of the vault, credentials and `Host`. */
export function withoutCredentials(sent: Headers): Headers {
  const passing = withoutVaultHeaders(sent)
  for (const name of ['host', ...CREDENTIALS]) passing.delete(name)
  return passing
}

/** Where a request with a key in it goes. */
export interface Placed {
  url: string
  headers: Headers
}

/**
 * The request with `apiKey` in place of its own key, and without other credentials. Null if it has no key: it may then go
 * anywhere, such as to a file that a user names. Null also if a key would not be safe at its address.
 */
export function placeKey({ url, headers: sent }: Placed, apiKey: string): Placed | null {
  const to = new URL(url)
  if (!isConfidentialUrl(url) || to.hostname.endsWith(NOWHERE)) return null
  const headers = withoutCredentials(sent)
  if (to.origin === GEMINI && to.searchParams.has('key')) {
    to.searchParams.set('key', apiKey)
    return { url: to.href, headers }
  }
  const name = KEY_HEADERS.find((one) => sent.has(one))
  if (name === undefined) return null
  const [, scheme = ''] = /^(\S+ +)\S/.exec(sent.get(name) ?? '') ?? []
  headers.set(name, name === 'authorization' ? scheme + apiKey : apiKey)
  return { url, headers }
}
