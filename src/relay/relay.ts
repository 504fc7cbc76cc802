/** The relay: a client anywhere calls a provider with the key of its token's user, and never sees the key. */

import { VaultError } from '../errors.ts'
import { requireProvider, type NamedSlot } from '../keys/slot-name.ts'
import type { WaitUntil } from '../keys/sums.ts'
import type { KeyUser } from '../keys/take.ts'
import { sendWithKey } from '../keys/use.ts'
import type { Service } from '../service.ts'
import { relayBody } from './answer-body.ts'
import { relayHeaders } from './answer-headers.ts'

/** A request to `/relay/:provider/*` whose caller may use the user's key. */
export interface RelayedRequest extends Pick<KeyUser, 'granted' | 'team' | 'teamFault'> {
  request: Request
  slot: NamedSlot
  userId: string
  /** `relay:NAME`; null if the token names no client. */
  caller: string | null
  requestId: string
  /** The origin of the page that called, if it may call. */
  allowedOrigin: string | null
  waitUntil: WaitUntil
}

/**
 * Sends the request to the provider, and returns the provider's answer as it comes: its status, its body and
 * the headers that are safe on the vault's origin. URLs of the provider lead through the relay.
 *
 * @throws VaultError `unknown_provider`, `origin_not_allowed`, and as `sendWithKey`
 */
export async function relay(service: Service, call: RelayedRequest): Promise<Response> {
  const { request, userId, caller, requestId, allowedOrigin, waitUntil } = call
  const { granted, team = null, teamFault = null } = call
  const slot = requireProvider(service.settings, call.slot)
  const { provider } = slot
  const { root, path } = splitTarget(request.url)
  const { method, headers, body, signal } = request
  const by = { kind: 'caller', name: caller } as const
  const user = { service, userId, requestId, by, waitUntil, granted, team, teamFault }
  // A client that names no coding may not be able to read gzip.
  const sent = { method, headers, body, signal, coding: 'identity' } as const
  const { response, place } = await sendWithKey(user, { slot, path, request: sent })
  const passage = {
    ...place,
    // Most answers hold no URL.
    get root() {
      return new URL(request.url).origin + root
    },
  }
  const answer = await relayBody(response, provider, passage)
  const { status, headers: answered } = answer
  relayHeaders(answered, { provider, status, allowedOrigin, requestId, passage })
  return answer
}

const ROUTE = /^[^/]*\/\/[^/]*(\/relay\/[^/?]*)(\/[^?]*)?(\?.*)?$/

/** A request's address, split where the provider's path begins. */
interface RelayTarget {
  /** The path of the provider's root on the vault: `/relay/openai`. */
  root: string
  /** The path and the query at the provider, byte for byte. */
  path: string
}

/**
 * Splits the URL of a request to `/relay/:provider/*`.
 *
 * @throws VaultError `origin_not_allowed` if a `..` would leave the path at the provider
 */
export function splitTarget(url: string): RelayTarget {
  const [, root, path = '/', query = ''] = ROUTE.exec(url) ?? []
  if (root === undefined || hasDots(path)) throw new VaultError('origin_not_allowed')
  return { root, path: path + query }
}

/** Whether a segment is `.` or `..`, also percent-encoded (RFC 3986 §6.2.2.3), between either slash. */
function hasDots(path: string): boolean {
  const decoded = path.replaceAll(/%2e/gi, '.').replaceAll(/%(?:2f|5c)|\\/gi, '/')
  return decoded.split('/').some((segment) => segment === '.' || segment === '..')
}
