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

/** With this key, the model `credit` answers. */
export const PAYING_KEY = 'sk-that-pays-0123456789'

/** The answer of the model `credit` to another key. The vault knows it by `EXHAUSTED`. */
const NO_CREDIT = { error: { message: 'You have no credit left', code: 'insufficient_quota' } }
export const EXHAUSTED = [{ status: 429, field: 'error.code', value: 'insufficient_quota' }]

/** The content of the file that it has, which is not text. */
export const FILE = Buffer.from([0, 255, 13, 10, 128])

/** The answers that are not a model's, by path. */
const FIXED: Record<string, (response: ServerResponse) => void> = {
  '/v1/files': (response) => sendJson(response, 200, { id: 'file-1', object: 'file' }),
  '/v1/files/file-1/content': (response) => {
    response.writeHead(200, { 'Content-Type': 'application/octet-stream' }).end(FILE)
  },
  '/v1/models': (response) => {
    response.setHeader('X-Request-Id', 'req-1')
    sendJson(response, 200, { object: 'list', data: [{ id: 'good', object: 'model' }] })
  },
}

/**
 * Starts the provider. The models are `good`, `error` (a 400), `suspended` (a 403 that repeats the key), `credit` (a 429, unless the key pays), `wrong-key` (what it says of a wrong key, as if it were the vault), `slow` (which waits for `release`, also by
 * `POST /release`), `step` (which waits after the first event of a stream), `torn` (which breaks off there), `hang`
 * (which sends only pings from there), `silent` (which sends nothing) and `busy` (a 429 every other time). `begun`
 * and `gone` say that a request to wait for came, and that its client has left. Each answer echoes its key.
 */
export async function startSdkServer() {
  const seen: Seen[] = []
  const events = new EventEmitter()
  let isBusy = false

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url = '', headers } = request
    if (url === '/release') {
      events.emit('release')
      response.end()
      return
    }
    response.setHeader('X-Echo', JSON.stringify(headers))
    const body = await text(request)
    seen.push({ url, headers, body })
    const fixed = FIXED[url]
    if (fixed !== undefined) return fixed(response)
    const protocol = PROTOCOLS.find(({ path }) => path.test(url))
    if (protocol === undefined)
      return sendJson(response, 404, { error: { message: 'No such route' } })
    await answerModel(protocol, { url, body, key: keyOf(headers), response })
  }

  async function answerModel(
    protocol: Protocol,
    {
      url,
      body,
      key,
      response,
    }: { url: string; body: string; key: string; response: ServerResponse },
  ): Promise<void> {
    const { model = '', stream: asked = false }: { model?: string; stream?: boolean } =
      JSON.parse(body)
    const named = `${model} ${url}`
    if (named.includes('error')) return sendJson(response, 400, protocol.error)
    if (named.includes('suspended')) {
      const message = `Permission denied: Consumer 'api_key:${key}' has been suspended.`
      const error = JSON.stringify(protocol.error).replace('Bad model', message)
      return sendJson(response, 403, JSON.parse(error))
    }
    if (named.includes('credit') && key !== PAYING_KEY) return sendJson(response, 429, NO_CREDIT)
    if (named.includes('wrong-key')) {
      const { status, body: refusal } = protocol.wrongKey
      response.setHeader('X-Vault-Error', 'token_expired')
      response.setHeader('WWW-Authenticate', 'Bearer error="invalid_token"')
      return sendJson(response, status, refusal)
    }
    if (named.includes('busy')) {
      isBusy = !isBusy
      response.setHeader('Retry-After-Ms', '1')
      if (isBusy) return sendJson(response, 429, protocol.error)
    }
    if (named.includes('slow')) {
      events.emit('begun')
      await once(events, 'release')
    }
    if (!asked && !url.includes('alt=sse')) return sendJson(response, 200, protocol.whole)
    await stream(protocol.events, named, response)
  }

  async function stream(
    [first = '', ...rest]: readonly string[],
    named: string,
    response: ServerResponse,
  ): Promise<void> {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' })
    // It breaks off only once the first event has left.
    response.write(first, () => named.includes('torn') && response.destroy())
    if (named.includes('step')) await once(events, 'release')
    if (named.includes('hang') || named.includes('silent')) {
      // Without it, workerd would not notice that its client has closed the connection.
      const ping = () => named.includes('hang') && response.write(': ping\n\n')
      const pinging = setInterval(ping, 10)
      response.on('close', () => {
        clearInterval(pinging)
        events.emit('gone')
      })
      events.emit('begun')
    } else if (!named.includes('torn')) response.end(rest.join(''))
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))))
  })
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'realtime' })
  sockets.on('connection', (socket, { url = '', headers }) => {
    seen.push({ url, headers, body: '' })
    if (url.includes('BidiGenerateContent')) {
      socket.on('message', (data: Buffer) => socket.send(answerLive(data.toString())))
      return
    }
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

function keyOf(headers: IncomingMessage['headers']): string {
  const { authorization, 'x-api-key': anthropic, 'x-goog-api-key': google } = headers
  return authorization?.replace('Bearer ', '') ?? String(anthropic ?? google)
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

/** What Gemini's Live API answers to a message. */
function answerLive(message: string): string {
  if (message.includes('"setup"')) return '{"setupComplete": {}}'
  return '{"serverContent": {"modelTurn": {"parts": [{"text": "Hello"}]}, "turnComplete": true}}'
}
