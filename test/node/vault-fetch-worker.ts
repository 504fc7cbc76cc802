/**
 * A Worker bound to the vault. `/<scenario>` calls the provider with `vaultFetch`, and tells what came of it. An upgrade
 * opens a WebSocket with it.
 */

import { vaultFetch, type KeyUse } from '../../src/callers/fetch.ts'
import type { KeyVault } from '../../src/index.ts'

interface CallerEnv {
  KEY_VAULT: Service<KeyVault>
  PROVIDER: string
}

type Scenario = (fetch: ReturnType<typeof vaultFetch>, env: CallerEnv) => Promise<unknown>

const told = async (response: Response) => ({
  status: response.status,
  headers: Object.fromEntries(response.headers),
  body: await response.text(),
})

const SCENARIOS: Record<string, Scenario> = {
  text: async (fetch, { PROVIDER }) => told(await fetch(`${PROVIDER}/v1/text`)),
  url: async (fetch, { PROVIDER }) => told(await fetch(new URL(`${PROVIDER}/v1/url`))),
  request: async (fetch, { PROVIDER }) => {
    const init = { method: 'POST', body: 'the body', headers: { Authorization: 'Bearer mine' } }
    return told(await fetch(new Request(`${PROVIDER}/v1/request`, init)))
  },
  stream: async (fetch, { PROVIDER }) => {
    const body = new Response('streamed').body
    return told(await fetch(`${PROVIDER}/v1/stream`, { method: 'POST', body }))
  },
  signal: async (fetch, { PROVIDER }) => {
    const { signal } = new AbortController()
    return told(await fetch(`${PROVIDER}/v1/signal`, { signal }))
  },
  redirect: async (fetch, { PROVIDER }) => told(await fetch(`${PROVIDER}/away`)),
  elsewhere: async (fetch) => told(await fetch('https://evil.test/v1')),
  early: async (fetch, { PROVIDER }) => {
    const leaving = new AbortController()
    const answer = fetch(`${PROVIDER}/hang`, { signal: leaving.signal })
    await globalThis.fetch(`${PROVIDER}/begun`)
    leaving.abort()
    return answer.then(told, ({ name }: Error) => name)
  },
  late: async (fetch, { PROVIDER }) => {
    const leaving = new AbortController()
    const response = await fetch(`${PROVIDER}/hang-stream`, { signal: leaving.signal })
    const rest = response.text()
    leaving.abort()
    return rest.catch(({ name }: Error) => name)
  },
}

export default {
  fetch: async (request: Request, env: CallerEnv): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url)
    const userId = searchParams.get('user') ?? 'user'
    const provider = searchParams.get('provider') ?? 'openai'
    const uses: KeyUse[] = []
    const fallback = searchParams.has('fallback') ? { apiKey: 'sk-of-the-caller' } : undefined
    const onKey = (use: KeyUse) => void uses.push(use)
    const fetchWithKey = vaultFetch(env.KEY_VAULT, { userId, provider, fallback, onKey })
    if (request.headers.has('Upgrade')) {
      return fetchWithKey(`${env.PROVIDER}/v1/realtime`, { headers: { Upgrade: 'websocket' } })
    }
    const scenario = SCENARIOS[pathname.slice(1)]
    if (scenario === undefined) return new Response(null, { status: 404 })
    return Response.json({ told: await scenario(fetchWithKey, env), uses })
  },
}
