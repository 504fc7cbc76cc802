/** The Workers that the vault is compared with. The variable `PEER` selects one. */

import { answerByHand } from './by-hand.ts'
import { leastStatements, sameStatements, type PeerEnv } from './statements.ts'

export default {
  fetch: async (request: Request, env: PeerEnv): Promise<Response> => {
    if (request.headers.has('Upgrade')) return echoSocket()
    if (env.PEER === 'hello') return request.url.endsWith('/big') ? big() : new Response('hello')
    const [, userId = '', last] =
      /^\/api\/users\/([^/]+)\/(\S+)$/.exec(new URL(request.url).pathname) ?? []
    const asked = { method: last === 'api-keys' ? 'LIST' : request.method, userId }
    if (env.PEER === 'hand') return answerByHand(request, env, asked)
    if (asked.method === 'PUT') await request.json()
    const statements = (env.PEER === 'same' ? sameStatements : leastStatements)(env, asked)
    const prepared = statements.map(({ sql, values }) => env.DB.prepare(sql).bind(...values))
    const [first] = prepared
    const results =
      first && prepared.length === 1 ? [await first.all()] : await env.DB.batch(prepared)
    return Response.json({ has_api_key: (results.at(-1)?.results.length ?? 0) > 0 })
  },
}

/** 50 MB in 50 parts. */
function big(): Response {
  const part = new Uint8Array(1_000_000)
  const { readable, writable } = new FixedLengthStream(50 * part.length)
  const writer = writable.getWriter()
  const write = async () => {
    // oxlint-disable-next-line no-await-in-loop -- one part after the other
    for (let index = 0; index < 50; index += 1) await writer.write(part)
    await writer.close()
  }
  // If the client leaves, there is nobody to tell.
  write().catch(() => undefined)
  return new Response(readable)
}

/** A WebSocket that sends each message back. */
function echoSocket(): Response {
  const { 0: webSocket, 1: own } = new WebSocketPair()
  own.addEventListener('message', ({ data }) => own.send(data))
  own.accept()
  return new Response(null, { status: 101, webSocket })
}
