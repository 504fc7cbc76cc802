/**
 * A backend that calls a provider with its own key, by itself or through an empty entrypoint, or through a vault with the
 * user's key. The first part of the path says which. It passes a WebSocket on without reading its messages.
 */

import { WorkerEntrypoint } from 'cloudflare:workers'
import type { KeyVault } from '../../../src/index.ts'

interface CallerEnv {
  ENTRYPOINT: Service<EmptyEntrypoint>
  KEY_VAULT: Service<KeyVault>
  HOT_VAULT: Service<KeyVault>
  PROVIDER: string
}

/** What a call over a binding costs without a vault. */
export class EmptyEntrypoint extends WorkerEntrypoint {
  async send(request: Request): Promise<Response> {
    return fetch(request)
  }
}

const OWN_KEY = { Authorization: 'Bearer sk-bench-0123456789' }
const CALL = { method: 'POST', body: '{"model": "x"}' }

export default {
  fetch: async (request: Request, env: CallerEnv): Promise<Response> => {
    const { PROVIDER, ENTRYPOINT, KEY_VAULT, HOT_VAULT } = env
    if (request.headers.has('Upgrade')) {
      const { webSocket } = await fetch(PROVIDER, { headers: { Upgrade: 'websocket' } })
      return new Response(null, { status: 101, webSocket })
    }
    const [, through, route, userId = ''] = new URL(request.url).pathname.split('/')
    const url = request.url.endsWith('/big') ? `${PROVIDER}/big` : PROVIDER
    if (through === 'direct') {
      return fetch(url, { ...(route === 'use' && CALL), headers: OWN_KEY })
    }
    if (through === 'entrypoint') {
      return ENTRYPOINT.send(new Request(PROVIDER, { ...CALL, headers: OWN_KEY }))
    }
    const vault = through === 'hot-caller' ? HOT_VAULT : KEY_VAULT
    const result = await vault.fetchWithApiKey(userId, 'openai', new Request(PROVIDER, CALL))
    return result.ok ? result.response : Response.json(result, { status: 502 })
  },
}
