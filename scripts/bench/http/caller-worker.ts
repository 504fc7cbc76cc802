/**
 * A backend that calls a provider with its own key, or through the vault with the user's key. It passes a WebSocket on
 * without reading its messages.
 */

import type { KeyVault } from '../../../src/index.ts'

interface CallerEnv {
  KEY_VAULT: Service<KeyVault>
  PROVIDER: string
}

export default {
  fetch: async (request: Request, { KEY_VAULT, PROVIDER }: CallerEnv): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (request.headers.has('Upgrade')) {
      const { webSocket } = await fetch(PROVIDER, { headers: { Upgrade: 'websocket' } })
      return new Response(null, { status: 101, webSocket })
    }
    const headers = { Authorization: 'Bearer sk-bench-0123456789' }
    const call = { method: 'POST', body: '{"model": "x"}' }
    if (pathname === '/direct') return fetch(PROVIDER, { ...call, headers })
    const userId = pathname.replace('/use/', '')
    const result = await KEY_VAULT.fetchWithApiKey(userId, 'openai', new Request(PROVIDER, call))
    return result.ok ? result.response : Response.json(result, { status: 502 })
  },
}
