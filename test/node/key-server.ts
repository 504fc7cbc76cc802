/** JWKS endpoints of identity providers on localhost. Tests start, change and stop them over HTTP. */

import { createServer, type IncomingMessage, type Server } from 'node:http'
import { text } from 'node:stream/consumers'
import { listen, stop } from '../../scripts/lib/local-server.ts'

interface KeyServer {
  server: Server
  keys: string
  status: number
  location: string
  requests: number
}

/**
 * Starts the control server. `POST /` starts a key server and returns its origin. `PUT /:port` sets what
 * it serves (with `?status=` and `?location=`). `GET /:port` returns its number of requests.
 * `DELETE /:port` stops it.
 */
export async function startKeyServers(): Promise<{ url: string; close: () => Promise<void> }> {
  const running = new Map<string, KeyServer>()

  async function control(request: IncomingMessage): Promise<string> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
    if (request.method === 'POST') {
      const [port, keyServer] = await startKeyServer()
      running.set(port, keyServer)
      return `http://127.0.0.1:${port}`
    }
    const keyServer = running.get(pathname.slice(1))
    if (keyServer === undefined) throw new Error(`${pathname} does not name a running key server`)
    if (request.method === 'PUT') {
      keyServer.keys = await text(request)
      keyServer.status = Number(searchParams.get('status') ?? 200)
      keyServer.location = searchParams.get('location') ?? ''
    }
    if (request.method === 'DELETE') await stop(keyServer.server)
    return String(keyServer.requests)
  }

  const server = createServer((request, response) => {
    control(request).then(
      (answer) => response.end(answer),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  const url = `http://127.0.0.1:${await listen(server)}`
  const close = async () => {
    await Promise.all([server, ...[...running.values()].map((k) => k.server)].map(stop))
  }
  return { url, close }
}

async function startKeyServer(): Promise<[port: string, KeyServer]> {
  const server = createServer((_request, response) => {
    keyServer.requests += 1
    const { keys, status, location } = keyServer
    response.writeHead(status, { 'Content-Type': 'application/jwk-set+json', Location: location })
    response.end(keys)
  })
  const keyServer: KeyServer = {
    server,
    keys: '{"keys":[]}',
    status: 200,
    location: '',
    requests: 0,
  }
  return [String(await listen(server)), keyServer]
}
