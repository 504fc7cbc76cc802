/** A Worker bound to the vault that runs a call of an SDK through `vaultFetch`. */

import { vaultFetch } from '../../src/callers/fetch.ts'
import type { KeyVault } from '../../src/index.ts'
import { runCall, type Kind } from './sdk-scenarios.ts'

interface SdkEnv {
  KEY_VAULT: Service<KeyVault>
  PROVIDER: string
}

export default {
  fetch: async (request: Request, { KEY_VAULT, PROVIDER }: SdkEnv): Promise<Response> => {
    const { userId, ...call }: { userId: string; name: string; model: string; kind: Kind } =
      await request.json()
    const access = {
      base: () => PROVIDER,
      apiKey: 'in the vault',
      fetch: (provider: string) => vaultFetch(KEY_VAULT, { userId, provider }),
      release: async () => fetch(`${PROVIDER}/release`, { method: 'POST' }),
    }
    return Response.json(await runCall(access, call))
  },
}
