/** A client that sends bytes as they are, and reads what comes back until the connection ends. */

import { connect, type Socket } from 'node:net'

/** A request, in parts that a hostile client may change. */
export interface RawRequest {
  line: string
  headers: readonly string[]
  body?: string
}

/** The bytes of a request, one per character. */
export function bytesOf({ line, headers, body = '' }: RawRequest): string {
  return `${[line, ...headers].join('\r\n')}\r\n\r\n${body}`
}

/** Opens a connection to the server of `url`. */
export function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url)
  return connect(Number(port), hostname)
}

/** Reads until the server ends the connection, or resets it. */
export async function readToEnd(socket: Socket): Promise<string> {
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => void received.push(chunk))
  // A reset also ends the connection.
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('close', resolve))
  return Buffer.concat(received).toString('latin1')
}

/** The statuses of the responses in `answer`, without 100. */
export function statusesOf(answer: string): number[] {
  return [...answer.matchAll(/HTTP\/1\.[01] (\d{3}) /g)]
    .map(([, status]) => Number(status))
    .filter((status) => status !== 100)
}
