/** A Worker bound to the vault that sends a request of `fallback-cases.ts`, and returns what came of it. */

import { relayFetch, vaultFetch } from '../../src/callers/fetch.ts'
import type { KeyVault } from '../../src/index.ts'
import { APP_KEY, send, type Body } from './fallback-cases.ts'

interface FallbackEnv {
  KEY_VAULT: Service<KeyVault>
  PROVIDER: string
}

/** With `relay`, it goes to the relay at this address. */
export interface Call {
  userId: string
  provider: string
  url: string | null
  body: Body
  relay: { vault: string; token: string } | null
}

export default {
  fetch: async (request: Request, { KEY_VAULT, PROVIDER }: FallbackEnv): Promise<Response> => {
    const { userId, provider, url, body, relay }: Call = await request.json()
    const options = { provider, fallback: { apiKey: APP_KEY } }
    return Response.json(
      await send(
        (onKey) =>
          relay === null
            ? vaultFetch(KEY_VAULT, { userId, ...options, onKey })
            : relayFetch({ ...relay, ...options, onKey }),
        url ?? PROVIDER,
        body,
      ),
    )
  },
}
