/** One request of an application that may fall back, as it runs in a Worker and in Node.js, and what came of it. */

import type { KeyUse } from '../../src/callers/fetch.ts'

/** The application's own key. */
export const APP_KEY = 'sk-of-the-application-0123456789'

export const BODIES = ['none', 'small', 'streamed', 'large', 'large streamed', 'websocket'] as const
export type Body = (typeof BODIES)[number]

const SMALL = JSON.stringify({ model: 'gpt-5-mini', messages: [] })
const LARGE_LENGTH = 1024 * 1024 + 1

/** How long the body is that the provider should see. */
export const LENGTHS: Record<Body, number> = {
  none: 0,
  small: SMALL.length,
  streamed: SMALL.length,
  large: LARGE_LENGTH,
  'large streamed': LARGE_LENGTH,
  websocket: 0,
}

/** What an application sees of a request. */
export interface Told {
  status: number
  /** The headers of the vault. */
  vault: Record<string, string>
  uses: KeyUse[]
}

/** Sends the request to the provider at `url`, with a `fetch` that calls `onKey` with the key it used. */
export async function send(
  makeFetch: (onKey: (use: KeyUse) => void) => typeof fetch,
  url: string,
  body: Body,
): Promise<Told> {
  const uses: KeyUse[] = []
  const response = await makeFetch((use) => void uses.push(use))(`${url}/v1/chat`, initOf(body))
  const { status, headers, webSocket } = response
  webSocket?.accept()
  webSocket?.close(1_000)
  await response.body?.cancel()
  const vault = Array.from(headers).filter(
    ([name]) => name.startsWith('x-vault-') && name !== 'x-vault-request-id',
  )
  return { status, vault: Object.fromEntries(vault), uses }
}

function initOf(body: Body): RequestInit {
  const headers = { Authorization: 'Bearer in the vault', 'X-Vault-User': 'nobody', Cookie: 'a=b' }
  if (body === 'websocket') return { headers: { ...headers, Upgrade: 'websocket' } }
  if (body === 'none') return { headers }
  const text = body.startsWith('large') ? 'x'.repeat(LARGE_LENGTH) : SMALL
  const isStreamed = body.endsWith('streamed')
  const sent = { method: 'POST', headers, body: isStreamed ? chunksOf(text) : text }
  const streamed = { ...sent, duplex: 'half' }
  return isStreamed ? streamed : sent
}

/** A stream of the text in three chunks. */
function chunksOf(text: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(text)
  const third = Math.ceil(bytes.length / 3)
  let at = 0
  return new ReadableStream({
    pull: (controller) => {
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.slice(at, at + third))
      at += third
    },
  })
}
