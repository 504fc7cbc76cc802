/** A Worker that calls a provider, directly or through the vault: what `npm run bench -- calls` compares. */

import type { KeyVault } from '../../src/index.ts'

interface CallerEnv {
  KEY_VAULT: Service<KeyVault>
  ORIGIN: string
  API_KEY: string
}

export default {
  fetch: async (request: Request, { KEY_VAULT, ORIGIN, API_KEY }: CallerEnv): Promise<Response> => {
    const url = `${ORIGIN}/v1/models`
    if (new URL(request.url).pathname === '/direct') {
      return fetch(url, { headers: { Authorization: `Bearer ${API_KEY}` } })
    }
    const result = await KEY_VAULT.fetchWithApiKey('user', 'openai', new Request(url))
    return result.ok ? result.response : Response.json(result, { status: 500 })
  },
}
