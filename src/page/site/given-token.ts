/** The token of a link, such as the one that `npm run dev` prints. It signs its user in only on localhost. */

import { isLocalhost } from '../../shared/confidential-url.ts'

/** In sessionStorage, so that a reload does not sign the user out. */
const GIVEN_TOKEN = 'given-token'

/**
 * The token of the address's fragment, which is removed at once, or the one that this tab keeps. Null on other
 * hosts: there a link could sign its reader in as somebody else, who would then be given the reader's key.
 */
export function takeGivenToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token !== null) history.replaceState(null, '', location.pathname)
  if (!isLocalhost(location.hostname)) return null
  return token ?? sessionStorage.getItem(GIVEN_TOKEN)
}

/** Keeps `token` for the life of this tab. */
export function keepGivenToken(token: string): void {
  sessionStorage.setItem(GIVEN_TOKEN, token)
}

/** Forgets the token that this tab keeps, if there is one. */
export function forgetGivenToken(): void {
  sessionStorage.removeItem(GIVEN_TOKEN)
}
