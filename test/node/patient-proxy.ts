/** A server before the vault that reads each request to its end, as Cloudflare's does. */

import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/**
 * Starts it before the server at `url`. workerd closes a connection whose body it has not read, and clients may then see
 * that instead of the answer.
 */
export async function startPatientProxy(url: string) {
  const server = createServer((asked, response) => {
    passOn(asked, response).catch(() => response.destroy())
  })

  async function passOn(asked: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(asked)
    const { method, url: path = '/', headers } = asked
    const sent = request(new URL(path, url).href, { method, headers, agent: false })
    sent.end(body)
    const [answer]: IncomingMessage[] = await once(sent, 'response')
    response.writeHead(answer?.statusCode ?? 502, answer?.headers)
    answer?.pipe(response)
  }

  return { url: `http://127.0.0.1:${await listen(server)}`, close: async () => stop(server) }
}
