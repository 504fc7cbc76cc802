/** A server that answers as a test says, for what the vault itself does not do on purpose. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { CODES, type ErrorCode } from '../../../src/shared/error-code.ts'

/** A request as it came. */
export interface Received {
  call: string
  headers: IncomingMessage['headers']
  body: string
}

/** Answers one request. */
export type Reply = (response: ServerResponse, received: Received) => void

/** A 200 with the user of the path. */
export const done: Reply = (response, { call }) => {
  const userId = decodeURIComponent(call.split('/')[3] ?? '')
  sendJson(response, 200, { user_id: userId, created: true })
}

/** A refusal as the vault sends it. */
export function refusal(
  code: ErrorCode,
  more: { detail?: string; retryAfter?: number } = {},
): Reply {
  return (response) => {
    const { status, error } = CODES[code]
    if (more.retryAfter !== undefined) response.setHeader('Retry-After', more.retryAfter)
    sendJson(response, status, { error, code, detail: more.detail })
  }
}

/** Breaks the connection off before an answer. */
export const broken: Reply = (response) => void response.destroy()

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}

/** Starts the server. `reply` chooses the answer to each request. */
export async function startStubVault(reply: (received: Received) => Reply) {
  const received: Received[] = []
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url, headers } = request
    const one = { call: `${method} ${url}`, headers, body: await text(request) }
    received.push(one)
    reply(one)(response, one)
  }
  const server = createServer((request, response) => void receive(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Chooses the answers one after the other, and then the last one again. */
export function inOrder(...replies: Reply[]): () => Reply {
  let next = 0
  return () => {
    const reply = replies[Math.min(next, replies.length - 1)] ?? done
    next += 1
    return reply
  }
}
