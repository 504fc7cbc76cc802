/** What of an application's headers goes on, and how its own key takes the place of the one that an SDK sends. */

import { isConfidentialUrl } from '../shared/confidential-url.ts'
import { CREDENTIALS } from '../shared/credential-headers.ts'
import { VAULT_PREFIX } from '../shared/vault-headers.ts'

/** Where SDKs put their key. The first one that a request has is its place. */
const KEY_HEADERS = ['x-goog-api-key', 'x-api-key', 'api-key', 'authorization']

/** Gemini also takes a key from the query. No other provider's `key` is a credential. */
const GEMINI = 'https://generativelanguage.googleapis.com'

/** Where a bound Worker addresses a provider whose users have addresses of their own. The application's key has none. */
const NOWHERE = '.invalid'

/** The headers without those that tell the vault something: a browser whose headers are passed on must not. */
export function withoutVaultHeaders(sent: Headers): Headers {
  return new Headers([...sent].filter(([name]) => !name.startsWith(VAULT_PREFIX)))
}

/** The headers that may go to another server: also without credentials, and without the name of the first one. */
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
 * The request with `apiKey` in the place of its own key, and without other credentials. Null if it has none: it may lead
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
