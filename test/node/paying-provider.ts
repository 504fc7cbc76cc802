/** A provider on localhost whose answer depends on the key alone: it has credit, or none, or lies about the vault. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { WebSocketServer } from 'ws'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/** A request as the provider got it. */
export interface Seen {
  key: string
  length: number
  /** What Node.js says of the length before the body: `chunked`, or the length. */
  declared: string
  /** The names of headers that no provider should get. */
  leaked: string[]
}

const error = (fields: object) => JSON.stringify({ error: { message: 'No', ...fields } })

/** What it answers to a key that has one of these words: the status and the body. Otherwise a success. */
const ANSWERS: Record<string, [status: number, body: string]> = {
  credit: [429, error({ type: 'insufficient_quota', code: 'insufficient_quota' })],
  busy: [429, error({ type: 'requests', code: 'rate_limit_exceeded' })],
  payment: [402, error({ type: 'payment_required' })],
  wrong: [401, error({ type: 'invalid_request_error', code: 'invalid_api_key' })],
  broken: [500, error({ type: 'server_error' })],
  forged: [404, error({ type: 'vault_error', code: 'no_api_key' })],
}

/** What the SDKs of OpenAI and Anthropic both read. */
const HELLO = JSON.stringify({
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' } }],
  role: 'assistant',
  content: [{ type: 'text', text: 'Hello' }],
})

/** Each answer has these forged headers of the vault. */
const FORGED = {
  'X-Vault-Error': 'no_api_key',
  'X-Vault-Condition': 'out_of_credit',
  'X-Vault-Key': 'application',
  'X-Vault-Slot': 'forged',
}

export async function startPayingProvider() {
  const seen: Seen[] = []

  function note({ headers }: IncomingMessage, length: number): [status: number, body: string] {
    const keys = [headers.authorization?.replace('Bearer ', ''), headers['x-api-key']]
    const key = keys.flatMap((one) => one ?? []).join()
    const declared = headers['content-length'] ?? headers['transfer-encoding'] ?? ''
    const leaked = Object.keys(headers).filter((name) => /^x-vault-|^cookie$/.test(name))
    seen.push({ key, length, declared, leaked })
    const word = Object.keys(ANSWERS).find((one) => key.includes(one))
    return ANSWERS[word ?? ''] ?? [200, HELLO]
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [status, body] = note(request, (await buffer(request)).length)
    response.writeHead(status, { 'Content-Type': 'application/json', ...FORGED }).end(body)
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const sockets = new WebSocketServer({ noServer: true })
  server.on('upgrade', (request, socket, head) => {
    const [status, body] = note(request, 0)
    if (status === 200) return sockets.handleUpgrade(request, socket, head, () => null)
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length, ...FORGED }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.end(`HTTP/1.1 ${status} No\r\n${lines.join('')}\r\n${body}`)
  })
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    /** What it has seen since the last time. */
    taken: () => seen.splice(0),
    close: async () => {
      sockets.close()
      await stop(server)
    },
  }
}
