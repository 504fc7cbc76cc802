/** A Worker bound to the vault that runs a call of an SDK through `vaultFetch`, or something that only OpenAI has. */

import OpenAI, { toFile } from 'openai'
import { vaultFetch } from '../../src/callers/fetch.ts'
import type { KeyVault } from '../../src/index.ts'
import { runCall, type Kind } from './sdk-scenarios.ts'

interface SdkEnv {
  KEY_VAULT: Service<KeyVault>
  PROVIDER: string
}

interface Asked {
  userId: string
  name: string
  model: string
  kind: Kind
  /** The application's own key, if the request may fall back. */
  apiKey?: string
}

/** Uploads a file of 200 kB. */
async function upload(fetch: typeof globalThis.fetch, { PROVIDER }: SdkEnv): Promise<unknown> {
  const openai = new OpenAI({ baseURL: `${PROVIDER}/v1`, fetch, apiKey: 'in the vault' })
  const file = await toFile(new TextEncoder().encode('x'.repeat(200_000)), 'x.txt')
  return openai.files.create({ file, purpose: 'user_data' })
}

/** Sends one event over a WebSocket, and returns the types of the events that come back. */
async function realtime(fetch: typeof globalThis.fetch, { PROVIDER }: SdkEnv): Promise<unknown> {
  const headers = { Upgrade: 'websocket', Authorization: 'Bearer in the vault' }
  const { status, webSocket } = await fetch(`${PROVIDER}/v1/realtime?model=good`, { headers })
  if (webSocket === null) return { status }
  const types: unknown[] = []
  const { promise: done, resolve } = Promise.withResolvers<void>()
  webSocket.addEventListener('message', ({ data }) => {
    const { type }: { type: string } = JSON.parse(String(data))
    types.push(type)
    if (type === 'session.created') webSocket.send('{"type": "response.create"}')
    else resolve()
  })
  webSocket.accept()
  await done
  webSocket.close(1_000)
  return { status, types }
}

const EXTRAS: Record<string, typeof upload> = { '/upload': upload, '/realtime': realtime }

export default {
  fetch: async (request: Request, env: SdkEnv): Promise<Response> => {
    const { KEY_VAULT, PROVIDER } = env
    const { pathname, searchParams } = new URL(request.url)
    const extra = EXTRAS[pathname]
    if (extra !== undefined) {
      const user = { userId: searchParams.get('user') ?? 'user', provider: 'openai' }
      return Response.json(await extra(vaultFetch(KEY_VAULT, user), env))
    }
    const { userId, apiKey, ...call }: Asked = await request.json()
    const fallback = apiKey === undefined ? undefined : { apiKey }
    const access = {
      base: () => PROVIDER,
      apiKey: 'in the vault',
      fetch: (provider: string) => vaultFetch(KEY_VAULT, { userId, provider, fallback }),
      release: async () => fetch(`${PROVIDER}/release`, { method: 'POST' }),
    }
    return Response.json(await runCall(access, call))
  },
}
