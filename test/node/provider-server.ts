/** A provider on localhost. The beginning of a key decides how it answers. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { listen, stop } from '../../scripts/lib/local-server.ts'
import type { SeenRequest } from '../provided.d.ts'

/** The answer to a key with this beginning, except on the two streams and `/echo`. */
const ANSWERS: Record<string, [status: number, body: (key: string) => string]> = {
  'sk-good': [200, () => '{"data": []}'],
  'sk-bad': [401, (key) => JSON.stringify(badKey(key))],
  'sk-spent': [429, () => '{"error": {"code": "insufficient_quota"}}'],
  'sk-scope': [401, () => '{"error": {"message": "Missing scopes: api.model.read"}}'],
  'sk-region': [403, () => '{"error": "country"}'],
  'sk-odd': [400, () => '{"error": "bad request"}'],
  'sk-busy': [429, () => '{"error": "rate limit"}'],
  'sk-down': [500, () => '{"error": "down"}'],
}

function badKey(key: string): object {
  return { error: { message: `Incorrect API key provided: ${key}`, code: 'invalid_api_key' } }
}

/**
 * Starts the provider. `POST /v1/chat/completions` streams server-sent events: the first one at once, and
 * the last one after `POST /release`. `GET /seen/<word>` returns the requests with the word in a header.
 */
export async function startProvider(): Promise<{ url: string; close: () => Promise<void> }> {
  const seen: SeenRequest[] = []
  const waiting: (() => void)[] = []

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    if (url.startsWith('/seen/')) {
      const word = url.slice('/seen/'.length)
      const found = seen.filter((one) => JSON.stringify(one.headers).includes(word))
      response.end(JSON.stringify(found))
      return
    }
    if (url === '/release') {
      for (const release of waiting.splice(0)) release()
      response.end()
      return
    }
    seen.push({ method, url, headers, body: await text(request) })
    const key = (headers.authorization ?? '').replace('Bearer ', '')
    if (key.startsWith('sk-hang')) return
    if (key.startsWith('sk-stall')) {
      response.writeHead(401).write('{"error": {"message": "')
      return
    }
    if (key.startsWith('sk-torn')) {
      response.writeHead(401, { 'Content-Length': 1_000 }).write(JSON.stringify(badKey('sk-…')))
      setImmediate(() => request.socket.destroy())
      return
    }
    if (url === '/echo') {
      response.setHeader('X-Your-Key', `it is ${key}`).setHeader('X-Other', 'kept')
      response.setHeader('Location', `/?key=${encodeURIComponent(key)}`).setHeader('X-B', btoa(key))
      response.statusMessage = `by ${key}`
      response.setHeader('Content-Encoding', 'gzip').end(gzipSync('echo'))
    } else if (url === '/redirect' || key.startsWith('sk-moved')) {
      response
        .writeHead(307, { Location: `http://localhost:${request.socket.localPort}/v1/models` })
        .end()
    } else if (url.startsWith('/v1/redirect?')) {
      response.writeHead(307, { Location: url.slice('/v1/redirect?'.length) }).end()
    } else if (url === '/v1/chat/completions' && key.startsWith('sk-good')) {
      response.setHeader('Content-Type', 'text/event-stream')
      response.write('data: {"choices": [{"delta": {"content": "first"}}]}\n\n')
      await new Promise<void>((resolve) => void waiting.push(resolve))
      response.end('data: {"choices": [{"delta": {"content": " last"}}]}\n\ndata: [DONE]\n\n')
    } else {
      const [, [status, body]] = Object.entries(ANSWERS).find(([start]) =>
        key.startsWith(start),
      ) ?? ['', [401, () => '{"error": {"code": "invalid_api_key"}}']]
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(body(key))
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))))
  })
  return { url: `http://127.0.0.1:${await listen(server)}`, close: async () => stop(server) }
}
