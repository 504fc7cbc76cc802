/** A provider on localhost that speaks the protocols of OpenAI, Anthropic and Google. The model decides how it answers. */

import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import { PROTOCOLS, type Protocol } from './sdk-protocols.ts'

/** A request as the provider got it. */
export interface Seen {
  url: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

/**
 * Starts the provider. The models are `good`, `error` (a 400), `slow` (which waits for `release`) and `hang`
 * (which sends the first event of a stream, and then nothing). `begun` and `gone` say that such a request came,
 * and that its client has left.
 */
export async function startSdkServer() {
  const seen: Seen[] = []
  const events = new EventEmitter()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', headers } = request
    const body = await text(request)
    seen.push({ url, headers, body })
    if (url === '/v1/files')
      return sendJson(response, 200, { id: 'file-1', object: 'file', bytes: body.length })
    const protocol = PROTOCOLS.find(({ path }) => path.test(url))
    if (protocol === undefined)
      return sendJson(response, 404, { error: { message: 'No such route' } })
    await answerModel(protocol, { url, body, response })
  }

  async function answerModel(
    protocol: Protocol,
    asked: { url: string; body: string; response: ServerResponse },
  ): Promise<void> {
    const { url, body, response } = asked
    const { model = '', stream = false }: { model?: string; stream?: boolean } = JSON.parse(body)
    const named = `${model} ${url}`
    if (named.includes('error')) return sendJson(response, 400, protocol.error)
    if (named.includes('slow')) {
      events.emit('begun')
      await once(events, 'release')
    }
    if (!stream && !url.includes('alt=sse')) return sendJson(response, 200, protocol.whole)
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    const [first = '', ...rest] = protocol.events
    response.write(first)
    if (named.includes('hang')) {
      // Without it, workerd would not notice that its client has closed the connection.
      const pinging = setInterval(() => response.write(': ping\n\n'), 10)
      response.on('close', () => {
        clearInterval(pinging)
        events.emit('gone')
      })
      events.emit('begun')
      return
    }
    response.end(rest.join(''))
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))))
  })
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'realtime' })
  sockets.on('connection', (socket, { url = '', headers }) => {
    seen.push({ url, headers, body: '' })
    socket.send('{"type": "session.created"}')
    socket.on('message', () => socket.send('{"type": "response.done"}'))
  })
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    seen,
    next: async (event: 'begun' | 'gone') => once(events, event),
    release: () => void events.emit('release'),
    close: async () => {
      sockets.close()
      server.closeAllConnections()
      await stop(server)
    },
  }
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
