/** The route of the relay. */

import type { Context } from 'hono'
import { authorizeRelay } from '../door/authorize.ts'
import { findSlot } from '../keys/slot-name.ts'
import { relay } from '../relay/relay.ts'
import { openService } from '../service.ts'
import { allowOrigin, tokenHeaders, type AppEnv } from './front.ts'

/** Answers with the provider's answer, and adds the use to the request's log line. */
export async function serveRelay(c: Context<AppEnv, '/relay/:provider/*'>): Promise<Response> {
  const service = await openService(c.env)
  const { settings } = service
  const slot = findSlot(settings, c.req.param('provider'))
  const sent = tokenHeaders(c, settings.tokenHeader)
  const { userId, caller } = await authorizeRelay(service, slot, sent)
  const use = { user_id: userId, caller, provider: slot.isKnown ? slot.name : null }
  c.set('use', use)
  const response = await relay(service, {
    request: c.req.raw,
    slot,
    userId,
    caller,
    requestId: c.get('requestId'),
    allowedOrigin: allowOrigin(c.req.header('Origin'), c),
    waitUntil: (recording) => c.executionCtx.waitUntil(recording),
  })
  c.set('use', { ...use, provider_status: response.status })
  return response
}
