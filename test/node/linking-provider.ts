/** A provider on localhost that names its own address: in Link, in an upload's URL, in a redirect and in a batch. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/** A request as a server got it. */
export interface Asked {
  method: string
  url: string
  headers: IncomingMessage['headers']
}

/** Starts a server that notes each request and answers nothing. */
export async function startStranger() {
  const asked: Asked[] = []
  const server = createServer(({ method = '', url = '', headers }, response) => {
    asked.push({ method, url, headers })
    response.end('[]')
  })
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    asked,
    close: async () => stop(server),
  }
}

/** Starts the provider. It names `elsewhere` too, where no client may send a token. */
export async function startLinking(elsewhere: string) {
  const asked: Asked[] = []
  const uploaded: Buffer[] = []
  let origin = ''

  function sendJson(response: ServerResponse, body: object, headers: Record<string, string> = {}) {
    response.writeHead(200, { 'Content-Type': 'application/json', ...headers })
    response.end(JSON.stringify(body))
  }

  function sendPage(response: ServerResponse, page: number): void {
    const link = (rel: string, to: number) =>
      `<${origin}/repositories/1/issues?page=${to}>; rel="${rel}"`
    const links = page < 3 ? [link('next', page + 1), link('last', 3)] : [link('first', 1)]
    const help = `<${elsewhere}/docs>; rel="deprecation"`
    sendJson(response, [{ number: page }], { Link: [...links, help].join(', ') })
  }

  /** https://ai.google.dev/api/files#method:-media.upload */
  async function upload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const command = String(request.headers['x-goog-upload-command'])
    const body = await buffer(request)
    if (command === 'start') {
      const url = `${origin}/upload/v1beta/files?upload_id=1&upload_protocol=resumable`
      sendJson(response, {}, { 'X-Goog-Upload-URL': url, 'X-Goog-Upload-Status': 'active' })
      return
    }
    if (Number(request.headers['x-goog-upload-offset']) === 0) uploaded.length = 0
    uploaded.push(body)
    const isFinal = command.includes('finalize')
    const file = { name: 'files/1', uri: `${origin}/v1beta/files/1`, sizeBytes: '1' }
    sendJson(response, isFinal ? { file } : {}, {
      'X-Goog-Upload-Status': isFinal ? 'final' : 'active',
    })
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    asked.push({ method, url, headers })
    const { pathname, searchParams } = new URL(url, origin)
    if (headers['x-goog-upload-command'] !== undefined) await upload(request, response)
    else if (pathname.endsWith('/issues')) sendPage(response, Number(searchParams.get('page') ?? 1))
    else if (pathname === '/v1/messages/batches/1') {
      const results_url = `${origin}${pathname}/results`
      sendJson(response, { id: '1', processing_status: 'ended', results_url })
    } else if (pathname === '/v1/messages/batches/1/results') {
      response.writeHead(200, { 'Content-Type': 'application/x-jsonl' })
      response.end('{"custom_id": "one"}\n{"custom_id": "two"}\n')
    } else if (pathname === '/v1/messages/batches') {
      const [data, filling] = [searchParams.get('data'), 'x'.repeat(Number(searchParams.get('x')))]
      const body = gzipSync(JSON.stringify({ data: JSON.parse(data ?? 'null'), filling }))
      const type = { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip', ETag: '"1"' }
      response.writeHead(200, { ...type, 'Content-Length': body.length }).end(body)
    } else if (pathname === '/v1/models/away') {
      response.writeHead(307, { Location: `${elsewhere}/v1/models/moved` }).end()
    } else if (pathname === '/v1/models/near') {
      response.writeHead(307, { Location: `${origin}/v1/models/moved` }).end()
    } else sendJson(response, { id: pathname })
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(new Error(String(error))))
  })
  origin = `http://127.0.0.1:${await listen(server)}`
  return {
    url: origin,
    asked,
    /** The bytes of the last upload. */
    uploaded: () => Buffer.concat(uploaded),
    close: async () => stop(server),
  }
}
