/** The relay: a client anywhere calls a provider with the key of its token's user, and never sees the key. */

import { VaultError } from '../errors.ts'
import { findSlot } from '../keys/slot-name.ts'
import type { WaitUntil } from '../keys/sums.ts'
import { sendWithKey } from '../keys/use.ts'
import { calledOrigin } from '../providers/base-url.ts'
import type { Service } from '../service.ts'
import { relayBody } from './answer-body.ts'
import { relayedHeaders } from './answer-headers.ts'
import { splitTarget } from './target.ts'

/** A request to `/relay/:provider/*` whose caller may use the user's key. */
export interface RelayedRequest {
  request: Request
  provider: string
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
 * @throws VaultError as `sendWithKey`
 */
export async function relay(service: Service, call: RelayedRequest): Promise<Response> {
  const { request, userId, caller, requestId, allowedOrigin, waitUntil } = call
  const { name, provider } = findSlot(service.settings, call.provider)
  if (provider === null) throw new VaultError('unknown_provider')
  const { root, path } = splitTarget(request.url)
  const outgoing = new Request(calledOrigin(name, provider) + path, request)
  // Otherwise the runtime asks for gzip, which this client may not be able to read.
  if (!outgoing.headers.has('Accept-Encoding')) outgoing.headers.set('Accept-Encoding', 'identity')
  const by = { kind: 'caller', name: caller } as const
  const user = { service, userId, requestId, by, waitUntil }
  const used = await sendWithKey(user, { provider: name, request: outgoing })
  const { base, target } = used
  const passage = { base, target, root: new URL(request.url).origin + root }
  const answer = await relayBody(used.response, provider, passage)
  const { status, body, webSocket } = answer
  const context = { provider, status, allowedOrigin, requestId, passage }
  const headers = relayedHeaders(answer.headers, context)
  return new Response(body, { status, headers, webSocket })
}
