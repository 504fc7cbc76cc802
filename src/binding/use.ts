/** Uses a key for a bound Worker, which addresses the provider itself. */

import { requireProvider, type NamedSlot } from '../keys/slot-name.ts'
import type { KeyUser } from '../keys/take.ts'
import { sendWithKey } from '../keys/use.ts'
import { calledOrigin, callersUrl, type Passage } from '../providers/base-url.ts'

/**
 * Sends the request with the key in the slot, and returns the answer. A `Location` below the user's base URL is below the
 * origin that the caller addressed.
 *
 * @throws VaultError `unknown_provider`, and as `sendWithKey`
 */
export async function useKey(user: KeyUser, named: NamedSlot, request: Request): Promise<Response> {
  const slot = requireProvider(user.service.settings, named)
  const root = calledOrigin(slot.name, slot.provider)
  const { origin, pathname, search } = new URL(request.url)
  const path = origin === root ? pathname + search : null
  const { response, place } = await sendWithKey(user, { slot, path, request })
  const location = response.headers.get('Location')
  if (location !== null && place.base !== root) {
    response.headers.set('Location', callersLocation(location, { ...place, root }))
  }
  return response
}

/** A `Location` for the caller. It is complete, so that nobody takes a path of the provider for one of `root`. */
export function callersLocation(location: string, passage: Passage): string {
  const whole = URL.parse(location, passage.target)?.href ?? location
  return callersUrl(whole, passage) ?? whole
}
