/** A provider on localhost that answers with what it got, or tries what a hostile provider might. */

import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { text } from 'node:stream/consumers'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/** What `/echo/…` answers with. */
export interface Echo {
  method: string
  url: string
  headers: Record<string, string>
  body: string
}

/** The path, and how the provider answers it. Every other path is an echo. */
const ANSWERS: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {
  '/html': (response) => {
    response.setHeader('Content-Type', 'text/html').setHeader('Set-Cookie', 'session=1; Path=/')
    response.setHeader('Clear-Site-Data', '"*"').setHeader('Alt-Svc', 'h3=":443"')
    response
      .setHeader('Strict-Transport-Security', 'max-age=0')
      .setHeader('Refresh', '0; url=//evil.test')
    response.setHeader('Content-Security-Policy', "script-src 'unsafe-inline'")
    response.setHeader('Access-Control-Allow-Origin', '*').setHeader('X-Vault-Error', 'no_api_key')
    response.setHeader('Service-Worker-Allowed', '/').setHeader('X-Other', 'kept')
    response.end('<script>fetch("/api/config")</script>')
  },
  '/away': (response) => {
    response.writeHead(307, { Location: 'https://evil.test/collect' }).end()
  },
  '/moved': (response) => {
    response.writeHead(308, { Location: '/v2/models?page=2' }).end()
  },
  '/leak': (response, { headers: { authorization = '' } }) => {
    const key = authorization.replace('Bearer ', '')
    response.setHeader('X-Key', key).setHeader('X-Base64', btoa(key)).setHeader('X-Other', 'kept')
    response.end('leaked')
  },
  '/teapot': (response) => {
    response
      .writeHead(418, { 'Content-Type': 'text/x-tea', 'Retry-After': '7' })
      .end('short and stout')
  },
  '/gzip': (response, { headers }) => {
    const accepts = headers['accept-encoding']?.includes('gzip') === true
    if (accepts) response.setHeader('Content-Encoding', 'gzip')
    response.end(accepts ? gzipSync('plain') : 'plain')
  },
  '/rejected': (response) => {
    response.writeHead(401).end('{"error": {"code": "invalid_api_key"}}')
  },
  '/cut': (response) => void response.destroy(),
}

/**
 * Starts the provider. `/hang`, `/hang-stream` and `/silent-stream` emit `begun`, and `gone` when their client
 * has left.
 */
export async function startEcho() {
  const events = new EventEmitter()
  const begun = Promise.withResolvers<void>()
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://provider.test')
    if (['/hang', '/hang-stream', '/silent-stream'].includes(pathname)) {
      response.on('close', () => events.emit('gone'))
      if (pathname === '/silent-stream') response.write('data: first\n\n')
      if (pathname === '/hang-stream') {
        response.write('data: first\n\n')
        // workerd notices only when it writes that its client has closed the connection.
        const pinging = setInterval(() => response.write(': ping\n\n'), 10)
        response.on('close', () => clearInterval(pinging))
      }
      events.emit('begun')
      begun.resolve()
      return
    }
    if (pathname === '/begun') {
      // Answers when a request to `/hang` has come.
      void begun.promise.then(() => response.end())
      return
    }
    const answer = ANSWERS[pathname]
    if (answer !== undefined) answer(response, request)
    else void echo(request, response)
  })
  const port = await listen(server)
  return {
    url: `http://127.0.0.1:${port}`,
    next: async (event: 'begun' | 'gone') => once(events, event),
    close: async () => {
      server.closeAllConnections()
      await stop(server)
    },
  }
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', headers } = request
  const body = await text(request)
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ method, url, headers, body }))
}
